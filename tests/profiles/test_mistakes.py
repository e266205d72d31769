"""Planted mistakes: each is found by one of the validators at least, by both unless one is known to miss it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.profiles.conftest import Validate
from tests.profiles.emitted import Resource, changed

REPORT, FINDING, MODEL = "whole: DiagnosticReport 7", "whole: Observation 4", "whole: Device 0"
OPINION = "opinion: findings and a comment"
PROVENANCE, TASK = "whole: Provenance 8", "whole: Task 9"


def without(*path: str | int) -> Callable[[Resource], object]:
    def change(resource: Resource) -> None:
        value: Any = resource
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def put(value: object, *path: str | int) -> Callable[[Resource], object]:
    def change(resource: Resource) -> None:
        inner: Any = resource
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return change


MISTAKES: dict[str, tuple[str, Callable[[Resource], object]]] = {
    # A report
    "a report without the AI label": (REPORT, lambda r: r["meta"]["security"].pop(0)),
    "a report that does not say its elements are labelled": (REPORT, lambda r: r["meta"]["security"].pop(1)),
    "a conclusion without a label": (REPORT, without("_conclusion")),
    "a final report that nobody signed": (REPORT, put("final", "status")),
    "a status that there is not": (REPORT, put("draft", "status")),
    "a report without a status": (REPORT, without("status")),
    "a report about nobody": (REPORT, without("subject")),
    "a report about a group": (REPORT, put({"reference": "Group/1"}, "subject")),
    "a report without results": (REPORT, without("result")),
    "a report without its identifier": (REPORT, without("identifier")),
    "an identifier of another system": (REPORT, put("urn:x", "identifier", 0, "system")),
    "a concluded code without its confidence": (REPORT, lambda r: r["conclusionCode"][0]["extension"].pop(1)),
    "a conclusion that is no finding": (REPORT, put("73211009", "conclusionCode", 0, "coding", 0, "code")),
    "an element that R4 does not have": (REPORT, put("x", "composition")),
    "an instant without a time": (REPORT, put("2026-11-22", "issued")),
    # An opinion
    "an opinion that is signed": (OPINION, put("final", "status")),
    "an opinion of nobody": (OPINION, without("performer")),
    "an opinion about nothing": (OPINION, without("focus")),
    "an opinion on what is no finding": (OPINION, put("73211009", "component", 0, "code", "coding", 0, "code")),
    # A finding
    "a probability above one": (FINDING, put(1.2, "valueQuantity", "value")),
    "a probability below zero": (FINDING, put(-0.1, "valueQuantity", "value")),
    "a probability that is text": (FINDING, put("0.9", "valueQuantity", "value")),
    "a finding in per cent": (FINDING, put("%", "valueQuantity", "code")),
    "a finding without a probability": (FINDING, without("valueQuantity")),
    "a finding of something else": (FINDING, put("73211009", "code", "coding", 0, "code")),
    "a finding without a level": (FINDING, without("interpretation")),
    "a level of another kind": (FINDING, put("H", "interpretation", 0, "coding", 0, "code")),
    "a finding made of nothing": (FINDING, without("derivedFrom")),
    "a finding of a vital sign": (FINDING, put("vital-signs", "category", 0, "coding", 0, "code")),
    # A model
    "a digest that is none": (MODEL, put("latest", "identifier", 0, "value")),
    "a model without a version": (MODEL, without("version")),
    "a device that is no model": (MODEL, put("Pump", "type", "coding", 0, "code")),
    "a model that belongs to a patient": (MODEL, put({"reference": "Patient/1"}, "patient")),
    # Who made it
    "a result that nobody made": (PROVENANCE, put("assembler", "agent", 0, "type", "coding", 0, "code")),
    "a clinician as the AI": (PROVENANCE, put({"reference": "Practitioner/1"}, "agent", 0, "who")),
    "a provenance of nothing": (PROVENANCE, without("target")),
    "a provenance without its reason": (PROVENANCE, without("reason")),
    # The queue and the cards
    "a review of no report": (TASK, without("focus")),
    "a review that can wait": (TASK, put("routine", "priority")),
    "an order that we may not give": (TASK, put("order", "intent")),
    "a card in HTML": ("model card", put("text/html", "content", 0, "attachment", "contentType")),
    "a card without a model": ("model card", without("subject")),
    # The audit trail
    "a read whose source is the client": (
        "patient read",
        lambda r: r["agent"][0]["type"]["coding"][0].update(code="110153"),
    ),
    "a query without its text": ("patient query", without("entity", 0, "query")),
    "a read of nobody's resource": ("patient read", lambda r: r["entity"].pop(1)),
    "a name in the trail": ("patient read", put("Ada Lovelace", "entity", 1, "name")),
    "a successful event that failed": ("hook call", put("8", "outcome")),
    "an agent that does not say whether it asked": ("hook call", without("agent", 0, "requestor")),
    "an inference by no model": ("inference", lambda r: [r["agent"].pop() for _ in range(2)]),
    "a model without its digest": ("model change", put("v1", "agent", 2, "who", "identifier", "value")),
    "an event without a time": ("query", without("recorded")),
    "an event that nobody observed": ("query", without("source")),
}

MISSED: dict[str, str] = {
    "a report about a group": "pyrofile",
    "a conclusion that is no finding": "medplum",
    "an opinion on what is no finding": "medplum",
    "a finding of something else": "medplum",
    "a level of another kind": "medplum",
    "a review that can wait": "medplum",
    "a result that nobody made": "medplum",
    "a card in HTML": "medplum",
    "a query without its text": "medplum",
}
"""Which validator is known to miss what; the other does not. Medplum's looks into no value set."""


def test_there_are_thirty_at_least() -> None:
    assert len(MISTAKES) >= 30


@pytest.mark.parametrize("mistake", MISTAKES)
def test_is_found(mistake: str, medplum: Validate, pyrofile: Validate) -> None:
    profile, resource = changed(*MISTAKES[mistake])
    found = {
        name for name, validate in (("medplum", medplum), ("pyrofile", pyrofile)) if validate(resource, profile)
    }
    assert found == {"medplum", "pyrofile"} - {MISSED.get(mistake)}
