"""The CDS client: what CDS Hooks 2.0 asks of an EHR that calls a service."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from flask import Flask, jsonify

from cds.errors import RequestError
from cds.registration import Registration
from cds.sandbox.ehr import orders, prefetch, suggestions
from cds.sandbox.ehr.feedback import accepted, overridden
from cds.sandbox.ehr.ordering import CdsClient, HookExchange
from cds.sandbox.ehr.registration import registration
from cds.sandbox.parts import Sandbox
from tests.sandbox.hook_service import HookService
from tests.sandbox.smart_app import BASE, ISSUER

SERVICE = "http://service.test"
ENDPOINT = f"{SERVICE}/cds-services/imaging-prescreen"

Sign = Callable[..., HookExchange]


@pytest.fixture
def service(sandbox: Sandbox) -> HookService:
    service = HookService()
    service.base = SERVICE
    service.trust(registration(sandbox))
    return service


@pytest.fixture
def order() -> dict[str, Any]:
    return orders.draft("p1", "Practitioner/grey", "e1", reason="Dyspnoea")


@pytest.fixture
def calling(app: Flask, sandbox: Sandbox, people: None) -> Callable[[httpx.BaseTransport], CdsClient]:
    def make(transport: httpx.BaseTransport) -> CdsClient:
        return CdsClient(
            SERVICE,
            issuer=ISSUER,
            keys=sandbox.keys,
            tokens=sandbox.tokens,
            fhir=httpx.Client(transport=httpx.WSGITransport(app)),
            http=httpx.Client(transport=transport),
        )

    return make


@pytest.fixture
def cds_client(calling: Callable[..., CdsClient], service: HookService) -> CdsClient:
    return calling(httpx.WSGITransport(service.app))


@pytest.fixture
def sent(cds_client: CdsClient, service: HookService, order: dict[str, Any]) -> dict[str, Any]:
    """What the service received for one signed order."""
    exchange = cds_client.sign_order("p1", [order], user="Practitioner/grey", encounter="e1")
    assert exchange.problem == ""
    assert len(exchange.cards) == 4
    return service.received[0]


def test_the_registration_is_one_that_the_service_accepts(sandbox: Sandbox) -> None:
    known = Registration.from_json(registration(sandbox))

    assert known.issuer == ISSUER
    assert known.fhir_server(ISSUER) == ISSUER
    assert known.pacs_for(f"{BASE}/dicom-web/studies/1").auth == "backend"
    assert known.allows_oauth(f"{BASE}/oauth/token")
    assert "d" not in known.jwks["keys"][0]  # type: ignore[index]


class TestRequest:
    def test_the_jwt_is_for_this_endpoint_for_five_minutes(self, sent: dict[str, Any]) -> None:
        claims = sent["claims"]

        assert claims["iss"] == ISSUER
        assert claims["aud"] == ENDPOINT
        assert claims["exp"] - claims["iat"] == 300
        assert claims["jti"]

    def test_the_hook_and_its_context(self, sent: dict[str, Any], order: dict[str, Any]) -> None:
        body = sent["body"]

        assert body["hook"] == "order-sign"
        assert uuid.UUID(body["hookInstance"]).version == 4
        assert body["context"]["userId"] == "Practitioner/grey"
        assert body["context"]["patientId"] == "p1"
        assert body["context"]["encounterId"] == "e1"
        drafts = body["context"]["draftOrders"]
        assert (drafts["resourceType"], drafts["type"]) == ("Bundle", "collection")
        assert drafts["entry"] == [{"resource": order}]

    def test_the_token_is_for_this_patient_and_only_reads(self, sent: dict[str, Any]) -> None:
        given = sent["body"]["fhirAuthorization"]

        assert sent["body"]["fhirServer"] == ISSUER
        assert given["token_type"] == "Bearer"
        assert given["expires_in"] == 60
        assert given["subject"] == "sightline"
        assert given["patient"] == "p1"
        assert all(re.fullmatch(r"patient/[A-Za-z]+\.rs", scope) for scope in given["scope"].split())

    def test_the_token_ends_with_the_call(self, sent: dict[str, Any], client: Any) -> None:
        token = sent["body"]["fhirAuthorization"]["access_token"]

        answer = client.get("/fhir/Patient/p1", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401

    def test_the_token_is_good_while_the_call_lasts(
        self, cds_client: CdsClient, service: HookService, order: dict[str, Any], client: Any
    ) -> None:
        def read_back() -> Any:
            token = service.received[0]["body"]["fhirAuthorization"]["access_token"]
            status = client.get("/fhir/Patient/p1", headers={"Authorization": f"Bearer {token}"}).status_code
            return jsonify(cards=[], status=status)

        service.answer = read_back
        answer = cds_client.sign_order("p1", [order], user="Practitioner/grey").answer

        assert answer
        assert answer.body["status"] == 200

    def test_the_record_of_the_call_does_not_hold_the_token(
        self, cds_client: CdsClient, order: dict[str, Any]
    ) -> None:
        exchange = cds_client.sign_order("p1", [order], user="Practitioner/grey")

        assert exchange.request["fhirAuthorization"]["access_token"] == "…"
        assert "encounterId" not in exchange.request["context"]

    def test_the_service_may_say_where_its_time_went(
        self, calling: Callable[..., CdsClient], order: dict[str, Any]
    ) -> None:
        answer = httpx.Response(
            200, json={"cards": []}, headers={"Server-Timing": "read;dur=12.5, score;dur=80,x"}
        )
        exchange = calling(httpx.MockTransport(lambda request: answer)).sign_order(
            "p1", [order], user="Practitioner/grey"
        )

        assert exchange.answer
        assert exchange.answer.steps == {"read": 12.5, "score": 80.0}
        assert exchange.answer.ms > 0


class TestPrefetch:
    """CDS Hooks 2.0, "Prefetch Template"."""

    def test_what_we_hold_is_sent_as_our_fhir_server_gives_it(self, sent: dict[str, Any]) -> None:
        given = sent["body"]["prefetch"]

        assert given["patient"]["id"] == "p1"
        assert given["clinician"]["id"] == "grey"
        assert given["encounter"]["id"] == "e1"
        assert (given["studies"]["type"], given["studies"]["total"]) == ("searchset", 0)

    def test_null_says_that_there_is_nothing_and_the_rest_is_left_out(self, sent: dict[str, Any]) -> None:
        given = sent["body"]["prefetch"]

        assert given["gone"] is None
        assert not {"odd", "outside", "forbidden"} & given.keys()

    def test_it_can_be_left_to_the_service(
        self, cds_client: CdsClient, service: HookService, order: dict[str, Any]
    ) -> None:
        cds_client.sign_order("p1", [order], user="Practitioner/grey", prefetched=False)

        assert "prefetch" not in service.received[0]["body"]

    @pytest.mark.parametrize(
        "template",
        ["{{userPatientId}}", "../oauth/token", "//elsewhere.test/", "Patient/a/b/c", "Patient/{{context.id", 7],
    )
    def test_a_template_that_is_none_is_passed_over(self, template: Any) -> None:
        def read(url: str) -> dict[str, Any]:
            raise AssertionError(url)

        context = {"userId": "Practitioner/grey", "patientId": "p1"}
        assert prefetch.fill({"key": template}, context, read) == {}


class TestProblems:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (httpx.Response(401), "registered"),
            (httpx.Response(404), "of this name"),
            (httpx.Response(500, text="<html>"), "HTTP 500"),
            (httpx.Response(200, text="<html>"), "not with cards"),
            (httpx.Response(200, json={"cards": ["x"]}), "not with cards"),
            (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), "HTTP 302"),
            (httpx.Response(200, content=b" " * (4 * 1024 * 1024 + 1)), "too long"),
            (
                httpx.Response(
                    412, json={"resourceType": "OperationOutcome", "issue": [{"diagnostics": "no FHIR"}]}
                ),
                "no FHIR",
            ),
            (httpx.Response(412, json={"issue": "odd"}), "could not get the data"),
        ],
    )
    def test_an_answer_without_cards_is_put_in_words(
        self, calling: Callable[..., CdsClient], order: dict[str, Any], answer: httpx.Response, words: str
    ) -> None:
        cds_client = calling(httpx.MockTransport(lambda request: answer))
        exchange = cds_client.sign_order("p1", [order], user="Practitioner/grey")

        assert words in exchange.problem
        assert exchange.cards == []

    @pytest.mark.parametrize(
        "error", [httpx.ConnectError("no"), httpx.ReadTimeout("late"), httpx.RemoteProtocolError("x")]
    )
    def test_a_service_that_is_away_is_put_in_words(
        self, calling: Callable[..., CdsClient], order: dict[str, Any], error: httpx.HTTPError
    ) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            raise error

        exchange = calling(httpx.MockTransport(handler)).sign_order("p1", [order], user="Practitioner/grey")

        assert exchange.answer is None
        assert "service" in exchange.problem


class TestFeedback:
    """CDS Hooks 2.0, "Feedback"."""

    def test_accepted_names_the_suggestions(self, cds_client: CdsClient, service: HookService) -> None:
        assert cds_client.feedback([accepted("card-1", ["s1", "s2"])]).status == 200

        (entry,) = service.feedback
        assert entry.keys() == {"card", "outcome", "acceptedSuggestions", "outcomeTimestamp"}
        assert entry["acceptedSuggestions"] == [{"id": "s1"}, {"id": "s2"}]
        assert datetime.fromisoformat(entry["outcomeTimestamp"]).utcoffset() is not None

    def test_overridden_may_say_why(self) -> None:
        reason = {"code": "known", "system": "s", "display": "Known already"}
        assert "overrideReason" not in overridden("card-1")
        assert overridden("card-1", reason=reason, comment="ok")["overrideReason"] == {
            "reason": {"code": "known", "system": "s"},
            "userComment": "ok",
        }


class TestActions:
    """CDS Hooks 2.0, "Action"."""

    def test_all_of_a_suggestion_is_applied(self, order: dict[str, Any]) -> None:
        stat, other = {**order, "priority": "stat"}, {"resourceType": "ServiceRequest"}
        actions = [{"type": "update", "resource": stat}, {"type": "create", "resource": other}]

        first, second = suggestions.apply([order], actions)
        assert first["priority"] == "stat"
        assert second["id"].startswith("draft-")
        assert (
            suggestions.apply([order], [{"type": "delete", "resourceId": f"ServiceRequest/{order['id']}"}]) == []
        )

    @pytest.mark.parametrize(
        "action",
        [
            {},
            {"type": "rename"},
            {"type": "create"},
            {"type": "create", "resource": "text"},
            {"type": "create", "resource": {"resourceType": "Patient", "id": "p1"}},
            {"type": "update", "resource": {"resourceType": "ServiceRequest", "id": "of-another"}},
            {"type": "delete", "resourceId": "ServiceRequest/of-another"},
        ],
    )
    def test_what_cannot_be_applied_is_refused(self, order: dict[str, Any], action: dict[str, Any]) -> None:
        with pytest.raises(RequestError):
            suggestions.apply([order], [action])
