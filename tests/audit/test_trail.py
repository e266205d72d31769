"""The events of one request: each is written once, whenever it happens."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from cds.audit.balp import User
from cds.audit.trail import OnBehalf, Trail, party
from cds.errors import Unreachable
from tests.prescreens import prescreen

BASE = "https://ehr.example/fhir"


@pytest.fixture
def trail() -> Trail:
    return Trail(party("https://cds.example"), OnBehalf(User(BASE, "Practitioner/p"), "jti-1", "hook-1"))


def take(trail: Trail) -> list[dict[str, Any]]:
    with trail.taken() as events:
        return events


def profile(event: dict[str, Any]) -> str:
    return str(event["meta"]["profile"][0].rpartition(".")[2])


def test_a_read_and_a_search_are_told_apart(trail: Trail) -> None:
    trail.fhir_read(BASE, "Patient/1", f"{BASE}/Patient/1", 200)
    trail.fhir_read(BASE, "Patient/1", f"{BASE}/ImagingStudy?patient=1", 200)
    assert [profile(event) for event in take(trail)] == ["PatientRead", "PatientQuery"]


@pytest.mark.parametrize(("status", "why"), [(403, "answered 403"), (None, "no answer")])
def test_a_read_that_failed_says_so(trail: Trail, status: int | None, why: str) -> None:
    trail.fhir_read(BASE, "Patient/1", f"{BASE}/Patient/1", status)
    (event,) = take(trail)
    assert (event["outcome"], event["outcomeDesc"]) == ("4", why)


def test_an_inference_names_inputs_and_models(trail: Trail) -> None:
    inference = trail.inference(prescreen())
    named = {entity["what"].get("reference") for entity in inference["entity"]}
    assert {"Patient/p1", "ImagingStudy/s1", "DocumentReference/d1"} <= named
    assert sum(agent.get("name", "").startswith("chest-radiograph") for agent in inference["agent"]) == 1


def test_a_report_is_created(trail: Trail) -> None:
    created = trail.report_created(prescreen(), "r1")
    assert profile(created) == "PatientCreate"
    assert "DiagnosticReport/r1" in str(created["entity"])


def test_every_event_is_valid_and_carries_user_and_hook(trail: Trail) -> None:
    trail.hook_called(BASE, "imaging-prescreen", "Patient/1")
    trail.hook_refused(BASE, "imaging-prescreen", "why")
    trail.feedback_given(BASE, "imaging-prescreen")
    for event in [*take(trail), trail.inference(prescreen()), trail.report_created(prescreen(), "r1")]:
        AuditEvent.model_validate(event)
        assert "hook-1" in str(event)
        assert "Practitioner/p" in str(event)


def test_events_are_taken_once(trail: Trail) -> None:
    trail.hook_called(BASE, "imaging-prescreen", "Patient/1")
    assert len(take(trail)) == 1
    assert take(trail) == []


def test_events_that_could_not_be_written_are_not_lost(trail: Trail) -> None:
    trail.hook_called(BASE, "imaging-prescreen", "Patient/1")
    with suppress(Unreachable), trail.taken():
        trail.hook_called(BASE, "imaging-prescreen", "Patient/2")
        raise Unreachable("the database is away")
    assert [str(event).count("Patient/1") for event in take(trail)] == [1, 0]


def test_what_comes_after_the_last_writing_is_told_as_it_happens(trail: Trail) -> None:
    late: list[dict[str, Any]] = []
    trail.fhir_read(BASE, "Patient/1", f"{BASE}/Patient/1", 200)
    with trail.closed(late.append) as events:
        trail.fhir_read(BASE, "Patient/1", f"{BASE}/Patient/1", 200)
    trail.fhir_read(BASE, "Patient/1", f"{BASE}/Patient/1", 200)
    assert (len(events), len(late), take(trail)) == (1, 2, [])


def test_a_last_writing_that_failed_was_not_the_last(trail: Trail) -> None:
    trail.hook_called(BASE, "imaging-prescreen", "Patient/1")
    with suppress(Unreachable), trail.closed(lambda event: None):
        raise Unreachable("the database is away")
    trail.hook_called(BASE, "imaging-prescreen", "Patient/2")
    assert len(take(trail)) == 2
