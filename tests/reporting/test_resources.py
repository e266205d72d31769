"""A prescreen as FHIR R4: base validity, AI transparency labels, and references that hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds.findings import Level
from cds.reporting import codes, tasks
from cds.reporting.resources import collection, report_id, resources
from tests.prescreens import DOUBT, EFFUSION, PACS_DOWN, PNEUMOTHORAX, in_doubt, prescreen

WHOLE = prescreen()
WITHOUT_IMAGE = prescreen(study=None, missing=(PACS_DOWN,))


@pytest.mark.parametrize("given", [WHOLE, WITHOUT_IMAGE], ids=["whole", "without image"])
def test_every_resource_is_valid_fhir(given: Any) -> None:
    for resource in resources(given):
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_no_findings_is_no_report() -> None:
    nothing = prescreen(study=None, notes=(), findings=(), models=())
    assert resources(nothing) == []
    assert report_id(nothing) is None


def by_type(kind: str, given: Any = WHOLE) -> list[dict[str, Any]]:
    return [r for r in resources(given) if r["resourceType"] == kind]


def test_the_report_is_preliminary_and_labelled_aiast() -> None:
    (report,) = by_type("DiagnosticReport")
    assert report["status"] == "preliminary"
    assert codes.AIAST in report["meta"]["security"]
    assert report["_conclusion"]["extension"][0]["valueCoding"] == codes.AIAST
    assert "resultsInterpreter" not in report


def test_only_high_findings_are_conclusion_codes() -> None:
    (report,) = by_type("DiagnosticReport")
    assert [c["text"] for c in report["conclusionCode"]] == ["Pneumothorax"]


def test_every_finding_is_an_observation_with_its_probabilities() -> None:
    observations = by_type("Observation")
    assert [o["valueQuantity"]["value"] for o in observations] == [0.93, 0.5, 0.02]
    image, note, interval = observations[0]["component"]
    assert [c["valueQuantity"]["value"] for c in (image, note)] == [0.95, 0.81]
    assert [interval["valueRange"][end]["value"] for end in ("low", "high")] == [0.62, 0.97]
    assert len(observations[1]["component"]) == 2
    assert [o["interpretation"][0]["coding"][0]["code"] for o in observations] == ["POS", "IND", "NEG"]


def test_what_rests_on_a_film_in_doubt_says_so_and_goes_to_the_queue() -> None:
    unsure, noted = replace(PNEUMOTHORAX, level=Level.REVIEW), replace(EFFUSION, image=None)
    doubted = in_doubt(findings=(unsure, noted))
    written = resources(doubted)
    notes = [one.get("note", []) for one in written if one["resourceType"] == "Observation"]
    assert notes == [[{"text": f"In doubt: {DOUBT}"}], []]
    (report,) = [one for one in written if one["resourceType"] == "DiagnosticReport"]
    assert f"In doubt: {DOUBT}" in report["conclusion"]
    task = tasks.review(doubted)
    assert task
    assert task["reasonCode"]["text"] == "Pneumothorax"
    assert tasks.review(prescreen(findings=(unsure, noted))) is None


def test_provenance_names_the_exact_models_and_the_inputs() -> None:
    (provenance,) = by_type("Provenance")
    devices = {f"Device/{d['id']}" for d in by_type("Device")}
    assert {a["who"]["reference"] for a in provenance["agent"]} == devices
    assert [e["what"]["reference"] for e in provenance["entity"]] == ["ImagingStudy/s1", "DocumentReference/d1"]


def test_the_same_model_version_is_the_same_device() -> None:
    other = prescreen(id="2c5ea4c0-4067-51fe-8bb6-2b7e3c2b1f5e")
    assert by_type("Device") == by_type("Device", other)


def test_what_was_not_seen_is_in_the_conclusion() -> None:
    (report,) = by_type("DiagnosticReport", WITHOUT_IMAGE)
    assert "Not seen: the PACS did not answer (503)." in report["conclusion"]


class TestCollection:
    bundle = collection(resources(WHOLE))

    def test_is_a_valid_bundle(self) -> None:
        get_fhir_model_class("Bundle").model_validate(self.bundle)

    def test_our_own_references_are_resolved_by_the_server(self) -> None:
        full_urls = {entry["fullUrl"] for entry in self.bundle["entry"]}
        references = set(_references(self.bundle))
        assert {r for r in references if r.startswith("urn:uuid:")} <= full_urls
        assert {r for r in references if not r.startswith("urn:uuid:")} == {
            "Patient/p1",
            "ImagingStudy/s1",
            "DocumentReference/d1",
        }


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [r for v in value.values() for r in _references(v)]
    return [r for item in value for r in _references(item)] if isinstance(value, list) else []
