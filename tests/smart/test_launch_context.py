"""Launch context (SMART App Launch 2.2, scopes-and-launch-context.html, "Launch context arrives with your
access_token")."""

from __future__ import annotations

from typing import Any

import pytest

from cds import app_context
from cds.smart.launch_context import LaunchContext, of_token
from cds.smart.refusals import NoPatient

BASE = "https://ehr.example/fhir"
KEY = b"k" * 32
PRESCREEN = "2b1f9f52-6c64-4c3e-9f9a-3a7f0a1e0b11"


def context(**parameters: Any) -> LaunchContext:
    return of_token({"patient": "p1"} | parameters, BASE, KEY)


def test_all_that_an_ehr_may_say() -> None:
    assert context(
        encounter="e1",
        need_patient_banner=False,
        intent="reconcile-medications",
        tenant="urn:oid:1.2.3",
        appContext=app_context.issue(KEY, PRESCREEN),
        fhirContext=[{"reference": "Encounter/e1"}, {"reference": "ImagingStudy/s1"}],
        smart_style_url="https://ehr.example/style.json",
    ) == {
        "patient_id": "p1",
        "encounter_id": "e1",
        "study": "ImagingStudy/s1",
        "need_patient_banner": False,
        "intent": "reconcile-medications",
        "ehr_tenant": "urn:oid:1.2.3",
        "prescreen_id": PRESCREEN,
        "link_expired": False,
    }


def test_nothing_but_the_patient_is_needed() -> None:
    assert context() == {
        "patient_id": "p1",
        "encounter_id": "",
        "study": "",
        "need_patient_banner": True,
        "intent": "",
        "ehr_tenant": "",
        "prescreen_id": "",
        "link_expired": False,
    }


@pytest.mark.parametrize("patient", [None, "", "../p2", "<script>", 5, ["p1"], "https://evil.example/Patient/p1"])
def test_a_patient_that_is_no_id_is_none(patient: Any) -> None:
    with pytest.raises(NoPatient):
        context(patient=patient)


@pytest.mark.parametrize(
    ("entries", "study"),
    [
        ([{"reference": f"{BASE}/ImagingStudy/s1"}], "ImagingStudy/s1"),
        ([{"reference": "ImagingStudy/s1", "role": "launch"}], "ImagingStudy/s1"),
        ([{"reference": "ImagingStudy/s1", "role": "https://ehr.example/prior"}], ""),
        ([{"reference": "ImagingStudy/s1"}, {"reference": "ImagingStudy/s2"}], "ImagingStudy/s1"),
        ([{"reference": "https://evil.example/fhir/ImagingStudy/s1"}], ""),
        ([{"reference": "ImagingStudy/../Patient/p2"}], ""),
        ([{"canonical": "https://ehr.example/Questionnaire/1"}, {"identifier": {"value": "x"}}], ""),
        ([None, 5, "ImagingStudy/s1"], ""),
        ({"reference": "ImagingStudy/s1"}, ""),
        ("ImagingStudy/s1", ""),
    ],
)
def test_fhir_context(entries: Any, study: str) -> None:
    assert context(fhirContext=entries)["study"] == study


@pytest.mark.parametrize("said", [None, "false", 0, [], True])
def test_a_banner_is_shown_unless_the_ehr_says_plainly_that_it_shows_one(said: Any) -> None:
    assert context(need_patient_banner=said)["need_patient_banner"] is True


@pytest.mark.parametrize("intent", ["<script>", "x" * 300, 5, {"a": 1}, "a\nb"])
def test_an_intent_that_is_no_plain_word_is_left_out(intent: Any) -> None:
    assert context(intent=intent, tenant=intent) | {"intent": "", "ehr_tenant": ""} == context()
    assert context(intent=intent)["intent"] == ""


@pytest.mark.parametrize("handle", ["x", app_context.issue(b"other" * 8, PRESCREEN)], ids=["none", "foreign"])
def test_a_card_that_is_not_ours_opens_nothing(handle: str) -> None:
    assert context(appContext=handle)["link_expired"] is True
    assert context(appContext=handle)["prescreen_id"] == ""
