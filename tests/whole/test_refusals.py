"""What cannot be answered is a clear 4xx with an OperationOutcome, and leaves nothing behind but its audit."""

from __future__ import annotations

import time
import uuid
from typing import Any

import orjson
import pytest
from joserfc import jwt
from werkzeug.test import TestResponse

from tests.hospital import AWAY, Hospital
from tests.opened import events

PATH = "/cds-services/imaging-prescreen"
KEPT = ("prescreen", "resource", "card", "feedback", "outbox", "score")


def post(hospital: Hospital, body: Any, *, path: str = PATH, issuer: str = "") -> TestResponse:
    """POST ``body``, signed as the sandbox signs."""
    key = hospital.sandbox.keys.cds_client
    now = int(time.time())
    claims = {
        "iss": issuer or hospital.sandbox.fhir_base,
        "aud": hospital.settings.base_url + path,
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
    }
    header = {"alg": "ES384", "kid": key.kid, "typ": "JWT"}
    token = jwt.encode(header, claims, key, algorithms=["ES384"])
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return hospital.app.test_client().post(path, data=raw, headers={"Authorization": f"Bearer {token}"})


def request(hospital: Hospital, **changes: Any) -> dict[str, Any]:
    whole = {
        "hook": "order-sign",
        "hookInstance": str(uuid.uuid4()),
        "fhirServer": hospital.sandbox.fhir_base,
        "fhirAuthorization": {
            "access_token": "expired-or-never-valid",
            "token_type": "Bearer",
            "expires_in": 60,
            "scope": "patient/*.rs",
            "subject": "sightline",
        },
        "context": {
            "userId": "Practitioner/someone",
            "patientId": "normal",
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": hospital.patient("normal").order}],
            },
        },
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def rows(hospital: Hospital) -> dict[str, int]:
    with hospital.database.transaction("sandbox") as connection:
        counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in KEPT}
    return {table: int(count[0]) for table, count in counts.items() if count}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"hook": "patient-view"}, 400),
        ({"context": None}, 400),
        ({"hookInstance": "1"}, 400),
        ({}, 412),
        ({"fhirAuthorization": None}, 412),
        ({"fhirServer": "https://unregistered.example/fhir"}, 403),
        ({"fhirServer": "http://user:password@127.0.0.1/fhir"}, 403),
    ],
    ids=[
        "wrong hook",
        "missing context",
        "no UUID",
        "token refused",
        "no token",
        "unregistered FHIR server",
        "FHIR server with a user name",
    ],
)
def test_refused_with_an_outcome_and_without_rows(changes: Any, status: int, hospital: Hospital) -> None:
    before = rows(hospital)
    answer = post(hospital, request(hospital, **changes))
    outcome = answer.get_json(force=True)
    assert (answer.status_code, outcome["resourceType"]) == (status, "OperationOutcome")
    assert "Traceback" not in answer.text
    assert rows(hospital) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"hook": "order-sign"}'])
def test_what_is_no_request(body: bytes, hospital: Hospital) -> None:
    answer = post(hospital, body)
    assert (answer.status_code, answer.get_json(force=True)["resourceType"]) == (400, "OperationOutcome")


def test_a_fhir_server_that_is_away_is_412_at_once(hospital: Hospital) -> None:
    before = rows(hospital)
    answer = post(hospital, request(hospital, fhirServer=AWAY), issuer=AWAY)
    assert answer.status_code == 412
    assert "patient" in answer.get_json(force=True)["issue"][0]["diagnostics"]
    assert rows(hospital) == before


def test_a_body_too_large_is_413(hospital: Hospital) -> None:
    answer = post(hospital, b" " * (hospital.settings.max_body_bytes + 1))
    assert answer.status_code == 413


def test_a_refusal_is_in_the_audit_trail(hospital: Hospital) -> None:
    given = request(hospital)
    post(hospital, given)
    with hospital.database.transaction("sandbox") as connection:
        refused = [event for event in events(connection, "sandbox") if "outcomeDesc" in event]
    assert any(given["hookInstance"] in str(event) for event in refused)


def test_an_order_that_is_no_service_request_is_no_card(hospital: Hospital) -> None:
    pill = {"resourceType": "MedicationRequest", "id": "m", "status": "draft", "intent": "order"}
    context = request(hospital)["context"] | {
        "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": pill}]}
    }
    answer = post(hospital, request(hospital, context=context))
    assert answer.get_json() == {"cards": []}


class TestFeedback:
    PATH = f"{PATH}/feedback"

    def given(self, hospital: Hospital) -> str:
        return str(hospital.sign(hospital.newcomer("effusion-j2k")).cards[0]["uuid"])

    def entry(self, card: str) -> dict[str, Any]:
        return {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T09:30:10Z"}

    def test_of_a_card_that_we_gave_is_kept_once(self, hospital: Hospital) -> None:
        entry = self.entry(self.given(hospital))
        before = rows(hospital)["feedback"]
        for _ in range(2):
            assert post(hospital, {"feedback": [entry]}, path=self.PATH).status_code == 200
        assert rows(hospital)["feedback"] == before + 1

    def test_of_a_card_that_is_not_ours_is_404(self, hospital: Hospital) -> None:
        answer = post(hospital, {"feedback": [self.entry(str(uuid.uuid4()))]}, path=self.PATH)
        assert answer.status_code == 404

    def test_that_is_none_is_400(self, hospital: Hospital) -> None:
        assert post(hospital, {"feedback": [{}]}, path=self.PATH).status_code == 400
