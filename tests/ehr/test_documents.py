"""The content of notes: inline and in a Binary, raw and wrapped, within limits."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from cds.ehr.documents import MAX_SECTIONS, read
from cds.ehr.fhir_client import FhirClient
from cds.errors import BadAnswer, Missing, NotAllowed, NoteError
from cds.notes.extraction import extract

BASE = "https://ehr.example/fhir"
TEXT = "Cough and fever, right base dull. Ünïcode."

ClientOf = Callable[..., FhirClient]


def encoded(text: str = TEXT) -> str:
    return base64.b64encode(text.encode()).decode()


def note(*attachments: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = [{"attachment": attachment} for attachment in attachments]
    return {"resourceType": "DocumentReference", "id": "d1", "status": "current", "content": content, **more}


def unreachable(request: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing may be sent")


def test_inline_data_needs_no_call(client_of: ClientOf) -> None:
    attachment = {"contentType": "text/plain; charset=UTF-8", "data": encoded(), "title": "a.txt"}
    document = read(
        client_of(unreachable), note(attachment, type={"text": "Progress note"}, date="2024-03-02T10:00:00Z")
    )
    assert document.reference == "DocumentReference/d1"
    assert document.title == "Progress note"
    assert document.written == date(2024, 3, 2)
    assert document.content_type == "text/plain; charset=utf-8"
    assert document.content.decode() == TEXT
    assert TEXT not in repr(document)


def test_the_day_of_writing_is_the_attachments_own(client_of: ClientOf) -> None:
    attachment = {"contentType": "text/plain", "data": encoded(), "creation": "2024-02-28"}
    assert read(client_of(unreachable), note(attachment, date="2024-03-02T10:00:00Z")).written == date(2024, 2, 28)


def test_an_addendum_says_what_it_was_written_beneath(client_of: ClientOf) -> None:
    related = [
        {"code": "appends", "target": {"reference": f"{BASE}/DocumentReference/d0/_history/1"}},
        {"code": "transforms", "target": {"reference": "DocumentReference/d9"}},
    ]
    addendum = note({"contentType": "text/plain", "data": encoded()}, relatesTo=related)
    assert read(client_of(unreachable), addendum).appends == ("DocumentReference/d0",)


def test_a_binary_is_asked_for_as_what_it_is(client_of: ClientOf) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        assert request.url == f"{BASE}/Binary/b1"
        assert request.headers["Accept"] == "application/pdf"
        return httpx.Response(200, content=b"%PDF-1.7", headers={"Content-Type": "application/octet-stream"})

    for url in ("Binary/b1", f"{BASE}/Binary/b1", "Binary/b1/_history/2"):
        document = read(client_of(ehr), note({"contentType": "application/pdf", "url": url}))
        assert (document.content_type, document.content) == ("application/pdf", b"%PDF-1.7")


def test_a_server_that_gives_the_resource_all_the_same_is_understood(client_of: ClientOf) -> None:
    binary = {"resourceType": "Binary", "contentType": "text/rtf", "data": encoded()}
    headers = {"Content-Type": "application/fhir+json;charset=utf-8"}
    client = client_of(lambda request: httpx.Response(200, json=binary, headers=headers))
    document = read(client, note({"url": "Binary/b1"}))
    assert (document.content_type, document.content.decode()) == ("text/rtf", TEXT)


@pytest.mark.parametrize(
    "refusal", [httpx.Response(406), httpx.Response(200, headers={"Content-Type": "application/fhir+xml"})]
)
def test_a_server_that_gives_nothing_raw_is_asked_for_the_resource(
    client_of: ClientOf, refusal: httpx.Response
) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        if request.headers["Accept"] != "application/fhir+json":
            return refusal
        binary = {"resourceType": "Binary", "contentType": "text/plain", "data": encoded()}
        return httpx.Response(200, json=binary, headers={"Content-Type": "application/fhir+json"})

    assert read(client_of(ehr), note({"contentType": "text/plain", "url": "Binary/b1"})).content.decode() == TEXT


def test_of_several_formats_the_one_that_loses_least_is_read(client_of: ClientOf) -> None:
    pdf = {"contentType": "application/pdf", "url": "Binary/pdf"}
    html = {"contentType": "text/html", "data": encoded("<p>html</p>")}
    picture = {"contentType": "image/jpeg", "data": encoded("no")}
    assert read(client_of(unreachable), note(picture, pdf, html)).content_type == "text/html"


def test_where_one_format_cannot_be_had_the_next_one_is(client_of: ClientOf) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/gone"):
            return httpx.Response(410)
        return httpx.Response(200, content=b"%PDF", headers={"Content-Type": "application/pdf"})

    text = {"contentType": "text/plain", "url": "Binary/gone"}
    assert (
        read(client_of(ehr), note(text, {"contentType": "application/pdf", "url": "Binary/b"})).content == b"%PDF"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/fhir/Binary/b1",
        f"{BASE}/../Binary/b1",
        "file:///etc/passwd",
        "Patient/p1",
        "http://127.0.0.1/x",
    ],
)
def test_an_address_anywhere_else_is_not_called(client_of: ClientOf, url: str) -> None:
    with pytest.raises(NotAllowed):
        read(client_of(unreachable), note({"contentType": "text/plain", "url": url}))


@pytest.mark.parametrize(
    "attachment",
    [
        {},
        {"contentType": "text/plain"},
        {"contentType": "image/jpeg", "data": encoded()},
        {"contentType": "text/plain", "data": "%%%"},
        {"contentType": "text/plain", "data": "abcde"},
        {"contentType": "text/plain", "data": "é"},
        {"contentType": "text/plain", "data": 7},
        {"contentType": "text/plain", "data": "A" * 4 * 5000},
        {"contentType": "text/plain", "url": "Binary/b1", "size": 10_000_000},
        {"contentType": 7, "url": None},
    ],
)
def test_what_cannot_be_read_is_a_note_error(client_of: ClientOf, attachment: dict[str, Any]) -> None:
    with pytest.raises(NoteError):
        read(client_of(unreachable), note(attachment), max_bytes=1000)


@pytest.mark.parametrize("content", [None, 7, [None], [{"attachment": "text"}], []])
def test_a_document_of_the_wrong_shape_is_a_note_error(client_of: ClientOf, content: object) -> None:
    with pytest.raises(NoteError):
        read(client_of(unreachable), note(content=content))


def test_base64_may_hold_white_space(client_of: ClientOf) -> None:
    spaced = "\r\n".join(encoded()[at : at + 8] for at in range(0, len(encoded()), 8))
    assert (
        read(client_of(unreachable), note({"contentType": "text/plain", "data": spaced})).content.decode() == TEXT
    )


def test_a_binary_over_the_limit_is_not_kept(client_of: ClientOf) -> None:
    raw = {"Content-Type": "text/plain"}
    for size, error in ((2000, NoteError), (50_000, BadAnswer)):
        client = client_of(lambda request, size=size: httpx.Response(200, content=b"x" * size, headers=raw))
        with pytest.raises(error, match="larger"):
            read(client, note({"contentType": "text/plain", "url": "Binary/b1"}), max_bytes=1000)


def test_the_failure_of_the_last_format_tried_is_told(client_of: ClientOf) -> None:
    with pytest.raises(Missing):
        read(
            client_of(lambda request: httpx.Response(404)), note({"contentType": "text/plain", "url": "Binary/b1"})
        )


# Reports


def report(*forms: dict[str, Any], **more: Any) -> dict[str, Any]:
    code = {"text": "Chest radiograph, 2 views"}
    report = {"resourceType": "DiagnosticReport", "id": "r1", "status": "final", "code": code}
    return {**report, "effectiveDateTime": "2024-03-02", "presentedForm": list(forms), **more}


def test_a_report_is_what_was_presented_with_its_conclusion(client_of: ClientOf) -> None:
    pdf = {"contentType": "application/pdf", "url": "Binary/pdf"}
    form = {"contentType": "text/plain", "data": encoded()}
    document = read(client_of(unreachable), report(pdf, form, conclusion="Right pneumothorax."))
    assert (document.reference, document.title) == ("DiagnosticReport/r1", "Chest radiograph, 2 views")
    assert (document.content.decode(), document.written) == (TEXT, date(2024, 3, 2))
    assert document.conclusion == "Right pneumothorax."
    assert "pneumothorax" not in repr(document)


@pytest.mark.parametrize("forms", [(), ({"contentType": "image/jpeg", "data": ""},), ({"url": "Binary/gone"},)])
def test_a_report_of_which_nothing_else_is_left_is_its_conclusion(
    forms: tuple[dict[str, Any], ...], client_of: ClientOf
) -> None:
    client = client_of(lambda request: httpx.Response(404))
    document = read(client, report(*forms, conclusion="Clear lungs, 38 °C."))
    assert (document.content.decode(), document.content_type) == (
        "Clear lungs, 38 °C.",
        "text/plain; charset=utf-8",
    )
    for conclusion in ({}, {"conclusion": " "}, {"conclusion": 7}):
        with pytest.raises((NoteError, Missing)):
            read(client, report(*forms, **conclusion))


# Compositions


def composition(*sections: object) -> dict[str, Any]:
    composition = {"resourceType": "Composition", "id": "c1", "status": "final", "title": "Discharge summary"}
    return {**composition, "type": {"text": "Discharge summary"}, "date": "2024-03-02", "section": list(sections)}


def test_a_composition_is_its_sections_in_reading_order(client_of: ClientOf) -> None:
    inner = {"code": {"coding": [{"display": "Physical findings"}]}, "text": {"div": "<div>Right base dull</div>"}}
    outer = {"title": "Course & plan", "text": {"div": "<div>Cough</div>"}, "section": [inner]}
    document = read(
        client_of(unreachable), composition(outer, {"title": "Follow-up", "text": {"div": "<p>1 week</p>"}})
    )
    assert extract(document.content, document.content_type).split("\n") == [
        *("Course & plan:", "Cough", "", "Physical findings:", "Right base dull", "", "Follow-up:", "1 week")
    ]
    assert (document.reference, document.title) == ("Composition/c1", "Discharge summary")


@pytest.mark.parametrize("sections", [(), (None, 7), ({"title": "x", "text": {"div": "y" * 2000}},)])
def test_a_composition_without_sections_or_too_large_is_a_note_error(
    sections: tuple[object, ...], client_of: ClientOf
) -> None:
    with pytest.raises(NoteError):
        read(client_of(unreachable), composition(*sections), max_bytes=1000)


def test_a_composition_has_an_end(client_of: ClientOf) -> None:
    endless: dict[str, Any] = {"title": "t", "text": {"div": "deep"}}
    for _ in range(1000):
        endless = {"title": "t", "section": [endless, {"title": "beside"}]}
    assert read(client_of(unreachable), composition(endless)).content.count(b"<h2>") == MAX_SECTIONS
