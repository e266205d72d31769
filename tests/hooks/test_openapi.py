"""OpenAPI 3.1: the description is valid, and what it describes is what the hooks take and give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson
import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import validate

from cds.errors import RequestError
from cds.hooks import feedback, request
from cds.hooks.discovery import IMAGING_PRESCREEN, SERVICES
from cds.hooks.openapi import openapi
from tests.hooks import conftest
from tests.hooks.conftest import BASE, PATH, Hooks

Make = Callable[..., Hooks]
DOCUMENT = openapi(SERVICES.values(), BASE)
ENTRY = {
    "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
    "outcome": "overridden",
    "outcomeTimestamp": "2026-11-22T09:30:10Z",
}
ACCEPTED = {**ENTRY, "outcome": "accepted", "acceptedSuggestions": [{"id": "1"}]}


def check(instance: Any, schema: dict[str, Any]) -> None:
    """Validate against a schema of the document, with its references."""
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(instance)


def schema_of(path: str, *, status: str = "") -> dict[str, Any]:
    """The schema of a path's request, or of its answer with ``status``."""
    operation = next(iter(DOCUMENT["paths"][path].values()))
    described = operation["responses"][status] if status else operation["requestBody"]
    if "$ref" in described:
        described = DOCUMENT["components"]["responses"][described["$ref"].rpartition("/")[2]]
    return dict(next(iter(described["content"].values()))["schema"])


def test_the_description_is_valid() -> None:
    validate(DOCUMENT)


def test_every_service_is_described() -> None:
    wanted = {f"/cds-services/{service}{below}" for service in SERVICES for below in ("", "/feedback")}
    assert set(DOCUMENT["paths"]) == {"/cds-services", *wanted}


def test_it_is_served(hooks: Make) -> None:
    answer = hooks().app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.get_json() == DOCUMENT


def test_discovery_is_as_described(hooks: Make) -> None:
    answer = hooks().app.test_client().get("/cds-services")
    check(answer.get_json(), schema_of("/cds-services", status="200"))


def test_an_answer_and_a_refusal_are_as_described(hooks: Make) -> None:
    ehr = hooks(rate_per_minute=1)
    for status in ("400", "429"):
        answer = ehr.call(body=b"{}")
        assert answer.status_code == int(status)
        check(answer.get_json(force=True), schema_of(PATH, status=status))


REQUESTS: list[dict[str, Any]] = [
    {},
    {"hook": "patient-view"},
    {"hookInstance": 1},
    {"context": {}},
    {"context": {**conftest.request()["context"], "patientId": "../1"}},
    {"context": {**conftest.request()["context"], "userId": "Device/1"}},
    {"context": {**conftest.request()["context"], "draftOrders": {"resourceType": "List"}}},
    {"context": {**conftest.request()["context"], "draftOrders": {"resourceType": "Bundle", "entry": [{}]}}},
    {"context": {**conftest.request()["context"], "encounterId": None}},
    {"context": {**conftest.request()["context"], "encounterId": 1}},
    {"prefetch": []},
    {"prefetch": None},
    {"prefetch": {"patient": None, "studies": [], "other": {}}},
    {"fhirServer": 1},
    {"fhirAuthorization": {"access_token": "t", "token_type": "Bearer", "scope": "s"}},
    {
        "fhirServer": "https://ehr.example/fhir",
        "fhirAuthorization": {"access_token": "t", "token_type": "Bearer", "scope": "s"},
    },
    {
        "fhirServer": "https://ehr.example/fhir",
        "fhirAuthorization": {"access_token": "t", "token_type": "MAC", "scope": "s"},
    },
]


@pytest.mark.parametrize("changes", REQUESTS, ids=str)
def test_a_request_is_taken_if_and_only_if_it_is_as_described(changes: dict[str, Any]) -> None:
    given = conftest.request() | changes
    assert described(given, schema_of(PATH)) == taken(
        lambda raw: request.parse(IMAGING_PRESCREEN, raw), orjson.dumps(given)
    )


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        ACCEPTED,
        {**ENTRY, "card": None},
        {**ENTRY, "outcome": "ignored"},
        {**ACCEPTED, "acceptedSuggestions": []},
        {**ACCEPTED, "acceptedSuggestions": [{}]},
        {**ENTRY, "overrideReason": {}},
        {**ENTRY, "overrideReason": {"userComment": "No."}},
        {**ENTRY, "overrideReason": {"reason": {"code": "disagree"}}},
        {**ENTRY, "overrideReason": {"reason": {"display": "I disagree"}}},
        {**ENTRY, "overrideReason": {"reason": {"code": ""}}},
        {**ENTRY, "overrideReason": {"reason": "disagree"}},
        {**ENTRY, "overrideReason": {"reason": [1]}},
        {**ENTRY, "overrideReason": {"userComment": 5}},
        {**ENTRY, "overrideReason": {"reason": {"code": "disagree"}, "userComment": {"text": "No."}}},
        {name: value for name, value in ENTRY.items() if name != "outcomeTimestamp"},
        {**ENTRY, "outcomeTimestamp": "yesterday"},
    ],
    ids=str,
)
def test_feedback_is_taken_if_and_only_if_it_is_as_described(entry: dict[str, Any]) -> None:
    given = {"feedback": [entry]}
    assert described(given, schema_of(f"{PATH}/feedback")) == taken(feedback.parse, orjson.dumps(given))


def test_the_longest_feedback() -> None:
    entries = [{**ENTRY, "card": str(uuid4())} for _ in range(feedback.MAX_ENTRIES + 1)]
    for given in (entries, entries[1:]):
        assert described({"feedback": given}, schema_of(f"{PATH}/feedback")) == taken(
            feedback.parse, orjson.dumps({"feedback": given})
        )


def described(instance: Any, schema: dict[str, Any]) -> bool:
    try:
        check(instance, schema)
    except ValidationError:
        return False
    return True


def taken(parse: Callable[[bytes], object], raw: bytes) -> bool:
    try:
        parse(raw)
    except RequestError:
        return False
    return True
