"""CDS Hooks 2.0, "Calling a CDS Service"; order-sign 1.0, "Context"."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.errors import RequestError
from cds.hooks.discovery import IMAGING_PRESCREEN
from cds.hooks.request import parse

ORDER = {"resourceType": "ServiceRequest", "id": "o1", "status": "draft"}
PILL = {"resourceType": "MedicationRequest", "id": "m1", "status": "draft"}
REQUEST: dict[str, Any] = {
    "hook": "order-sign",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "fhirServer": "https://ehr.example/fhir",
    "fhirAuthorization": {
        "access_token": "secret-token",
        "token_type": "Bearer",
        "expires_in": 60,
        "scope": "patient/Patient.rs",
        "subject": "sightline",
    },
    "context": {
        "userId": "Practitioner/example",
        "patientId": "p1",
        "encounterId": "e1",
        "draftOrders": {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": ORDER}, {"resource": PILL}],
        },
    },
    "prefetch": {"patient": None},
}


def changed(path: str, value: Any) -> bytes:
    whole = json.loads(json.dumps(REQUEST))
    *parents, name = path.split(".")
    inner = whole
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    if value is None:
        del inner[name]
    return json.dumps(whole).encode()


def test_a_whole_request() -> None:
    request = parse(IMAGING_PRESCREEN, json.dumps(REQUEST).encode())
    context = request.context
    assert (context.patient_id, context.encounter_id, context.user) == ("p1", "e1", "Practitioner/example")
    assert context.draft_orders == (ORDER, PILL)
    assert request.prefetch == {"patient": None}


def test_the_token_is_in_no_representation_of_the_request() -> None:
    assert "secret-token" not in repr(parse(IMAGING_PRESCREEN, json.dumps(REQUEST).encode()))


@pytest.mark.parametrize("path", ["fhirAuthorization", "prefetch", "context.encounterId"])
def test_what_may_be_absent(path: str) -> None:
    parse(IMAGING_PRESCREEN, changed(path, None))


def test_unknown_keys_are_tolerated() -> None:
    parse(IMAGING_PRESCREEN, changed("context.newInThree", {"x": 1}))


@pytest.mark.parametrize("written", ["bearer", "BEARER"])
def test_a_token_type_may_be_in_any_letters(written: str) -> None:
    """RFC 6749 §5.1."""
    assert parse(IMAGING_PRESCREEN, changed("fhirAuthorization.token_type", written)).authorization


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("hook", "patient-view", "hook"),
        ("hook", None, "hook"),
        ("hookInstance", "1", "hookInstance"),
        ("hookInstance", None, "hookInstance"),
        ("hookInstance", 7, "hookInstance"),
        ("context", None, "context"),
        ("context", [], "context"),
        ("context.userId", "example", "userId"),
        ("context.userId", None, "userId"),
        ("context.patientId", None, "patientId"),
        ("context.patientId", "../Patient", "patientId"),
        ("context.patientId", "a" * 65, "patientId"),
        ("context.encounterId", "a b", "encounterId"),
        ("context.draftOrders", None, "draftOrders"),
        ("context.draftOrders", {"resourceType": "Patient"}, "draftOrders"),
        ("context.draftOrders", {"resourceType": "Bundle", "entry": [{}]}, "draft order"),
        ("fhirServer", None, "fhirServer"),
        ("fhirServer", 3, "fhirServer"),
        ("fhirAuthorization.access_token", None, "access_token"),
        ("fhirAuthorization.access_token", "a b", "access_token"),
        ("fhirAuthorization.access_token", "a\r\nX: y", "access_token"),
        ("fhirAuthorization.token_type", "MAC", "token_type"),
        ("prefetch", [], "prefetch"),
    ],
)
def test_refused_by_name(path: str, value: Any, named: str) -> None:
    with pytest.raises(RequestError, match=named):
        parse(IMAGING_PRESCREEN, changed(path, value))


def with_order(levels: int) -> tuple[bytes, dict[str, Any]]:
    """A request with an order whose extension is nested so deeply, and the order."""
    nested: Any = []
    for _ in range(levels):
        nested = [nested]
    order = {"resourceType": "ServiceRequest", "extension": nested}
    return changed("context.draftOrders", {"resourceType": "Bundle", "entry": [{"resource": order}]}), order


@pytest.mark.parametrize("levels", range(230, 260))
def test_an_order_that_is_taken_can_be_written_into_a_suggestion(levels: int) -> None:
    """CDS Hooks 2.0, "Action": a suggestion carries the whole resource."""
    body, order = with_order(levels)
    with suppress(RequestError):
        parse(IMAGING_PRESCREEN, body)
        orjson.dumps({"cards": [{"suggestions": [{"actions": [{"resource": order}]}]}]})


def test_what_is_nested_too_deeply_is_refused() -> None:
    body, order = with_order(200)
    assert parse(IMAGING_PRESCREEN, body).context.draft_orders == (order,)
    for levels in (260, 900):
        with pytest.raises(RequestError, match="nested too deeply"):
            parse(IMAGING_PRESCREEN, with_order(levels)[0])


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from(["hookInstance", "context", "context.draftOrders", "fhirAuthorization"]), json_values)
def test_whatever_comes_is_parsed_or_refused(path: str, value: Any) -> None:
    with suppress(RequestError):
        parse(IMAGING_PRESCREEN, changed(path, value))


@given(st.binary())
def test_any_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        parse(IMAGING_PRESCREEN, body)
