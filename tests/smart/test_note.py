"""A note in its own words: read anew with the user's token, marked, and kept nowhere."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from cds.findings import Assertion, Evidence, NoteSeen, Place
from tests.prescreens import prescreen
from tests.smart.conftest import BASE, Browser, Ehr, Kept

SignIn = Callable[[], TestResponse]

WRITTEN = "Seen by <img src=x onerror=alert(1)>Dr Berg.\nLarge left pneumothorax.\nNo effusion."
DIGEST = hashlib.sha256(WRITTEN.encode()).hexdigest()
NOTE = f"{BASE}/DocumentReference/d1"
ASKED = {"prescreen": prescreen().id, "note": "1"}


def evidence(finding: str, assertion: Assertion, said: str, probability: float | None) -> Evidence:
    start = WRITTEN.index(said)
    return Evidence(finding, assertion, said, 0, 1, probability, Place(DIGEST, start, start + len(said)))


def document(written: str = WRITTEN, **changes: Any) -> dict[str, Any]:
    data = base64.b64encode(written.encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
        **changes,
    }


@pytest.fixture
def note(kept: Kept, ehr: Ehr, sign_in: SignIn, browser: Browser) -> Callable[..., str]:
    """The page of the note as the EHR answers for it."""
    seen = (
        evidence("pneumothorax", Assertion.PRESENT, "Large left pneumothorax.", 0.81),
        evidence("effusion", Assertion.NEGATED, "No effusion.", None),
    )
    notes = (NoteSeen("DocumentReference/d1", "ED note", None, DIGEST),)
    kept.all = [prescreen(evidence=seen, notes=notes)]

    def page(answer: httpx.Response | None = None, **changes: Any) -> str:
        ehr.answers[NOTE] = lambda r: answer or httpx.Response(200, json=document(**changes))
        sign_in()
        shown = browser.get("/smart/note", ASKED)
        assert shown.status_code == 200
        return shown.text

    return page


def test_what_carried_a_finding_and_what_denies_one_are_marked_for_what_they_are(note: Callable[..., str]) -> None:
    shown = note()
    assert (
        '<mark class="counts">Large left pneumothorax.</mark> <small>Pneumothorax: says it is there, 81 %' in shown
    )
    assert '<mark class="aside-said">No effusion.</mark> <small>Pleural effusion: denies it: not counted' in shown


def test_a_note_is_text_whatever_it_holds(note: Callable[..., str]) -> None:
    shown = note()
    assert "<img src=x" not in shown
    assert html.escape("Seen by <img src=x onerror=alert(1)>Dr Berg.") in shown


def test_it_is_read_with_the_users_token_and_that_is_told(
    note: Callable[..., str], ehr: Ehr, events: list[tuple[str, Mapping[str, Any]]]
) -> None:
    note()
    assert ehr.called[-1] == NOTE
    tenant, event = events[-1]
    assert (tenant, event["action"]) == ("general", "R")
    assert event["entity"][0]["what"]["reference"] == "DocumentReference/d1"
    assert event["agent"][2]["who"]["identifier"]["value"] == "u1"


def test_where_it_was_changed_nothing_is_marked_and_it_is_said(note: Callable[..., str]) -> None:
    shown = note(written="Large left pneumothorax.\nDrained.")
    assert "This note was changed since it was scored" in shown
    assert "Drained." in shown
    assert "<mark" not in shown


def test_where_it_was_taken_back_that_is_said(note: Callable[..., str]) -> None:
    assert "taken this note back" in note(status="entered-in-error")
    assert "taken this note back" not in note()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(403), "Your EHR does not show it to you from here."),
        (httpx.Response(404), "Your EHR does not have it any more."),
        (httpx.Response(500), "Your EHR did not answer as it should."),
        (httpx.Response(200, json=document(content=[])), "It cannot be shown here"),
        (httpx.Response(200, json=document(subject={"reference": "Patient/p2"})), "does not have it any more"),
    ],
)
def test_where_it_cannot_be_had_the_page_says_why(
    note: Callable[..., str], answer: httpx.Response, said: str
) -> None:
    shown = note(answer)
    assert said in shown
    assert "pneumothorax" not in shown


def test_without_the_scope_the_ehr_is_not_asked(note: Callable[..., str], ehr: Ehr) -> None:
    ehr.scope = "openid patient/Patient.r patient/ImagingStudy.rs"
    assert "did not grant Sightline to show you the notes" in note()
    assert NOTE not in ehr.called


def test_a_composition_is_shown_where_the_ehr_lists_such_a_scope(
    kept: Kept, ehr: Ehr, sign_in: SignIn, browser: Browser
) -> None:
    kept.all = [prescreen(notes=(NoteSeen("Composition/c1", "Consult", None, DIGEST),))]
    section = {"title": "Findings", "text": {"div": "<div>Large left pneumothorax.</div>"}}
    composition = {"resourceType": "Composition", "id": "c1", "status": "final", "section": [section]}
    ehr.answers[f"{BASE}/Composition/c1"] = lambda r: httpx.Response(200, json=composition)
    ehr.configuration["scopes_supported"] = ["patient/*.rs"]
    sign_in()
    assert "Large left pneumothorax." in browser.get("/smart/note", ASKED).text


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "", "1" * 4000, "\u0661"])
def test_a_note_that_was_not_scored_is_not_read(number: str, sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    sign_in()
    assert browser.get("/smart/note", ASKED | {"note": number}).status_code == 404
    assert NOTE not in ehr.called
