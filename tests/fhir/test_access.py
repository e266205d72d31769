"""Who comes in, and how far (RFC 6750, RFC 9068, RFC 7662; SMART App Launch 2.2, "Scopes")."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import ClassVar
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc.jwk import ECKey

from cds.keys import Keys
from cds.registration import Registrations
from cds.reporting.record import Record
from cds.store.database import Database
from cds.store.valkey import Valkey
from tests.fhir.conftest import (
    KEY,
    OTHER_KEY,
    OURS,
    Client,
    Hospital,
    endpoint_of,
    registration,
    results,
    token,
)

STAFF = {"sub": "u1", "fhirUser": "https://ehr.example/fhir/Practitioner/u1"}


@pytest.fixture
def two(hospital: Hospital) -> Hospital:
    hospital.write(results(hospital.ehr, "ada"), results(hospital.ehr, "bob"))
    return hospital


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class TestTokens:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"aud": "https://another.example/fhir"},
            {"aud": None},
            {"exp": int(time.time()) - 120},
            {"exp": None},
            {"exp": "tomorrow"},
            {"nbf": int(time.time()) + 86_400},
            {"iat": int(time.time()) + 86_400},
            {"iss": "https://evil.example"},
            {"iss": None},
            {"client_id": None},
            {"key": OTHER_KEY},
            {"header": {"typ": "logout+jwt"}},
            {"header": {"kid": "another"}},
        ],
    )
    def test_a_token_that_does_not_hold_opens_nothing(self, wrong: dict[str, object], two: Hospital) -> None:
        client = Client(two.app.test_client(), token(two.ehr.issuer, **wrong))  # type: ignore[arg-type]
        answer = client.get("DiagnosticReport")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert answer.get_json(force=True)["issue"][0]["diagnostics"] == "a valid access token is required"

    @pytest.mark.parametrize("sent", ["", "x", "a.b.c", "e30.e30.", "é", "a" * 10_000])
    def test_nor_does_what_is_no_token(self, sent: str, two: Hospital) -> None:
        assert Client(two.app.test_client(), sent).get("DiagnosticReport").status_code == 401

    def test_a_symmetric_signature_with_the_public_key_is_refused(self, two: Hospital) -> None:
        _, claims, _ = token(two.ehr.issuer).split(".")
        signed = f"{_b64(json.dumps({'alg': 'HS256', 'typ': 'JWT', 'kid': KEY.kid}).encode())}.{claims}"
        forged = f"{signed}.{_b64(hmac.digest(KEY.as_pem(private=False), signed.encode(), 'sha256'))}"
        assert Client(two.app.test_client(), forged).get("Device").status_code == 401

    def test_a_refusal_is_in_the_trail_without_the_token(self, two: Hospital) -> None:
        sent = token(two.ehr.issuer, key=OTHER_KEY)
        Client(two.app.test_client(), sent).get("Device")
        event = two.events("unknown")[-1]
        assert (event["outcome"], event["outcomeDesc"][:9]) == ("4", "the signa")
        assert sent[-32:] not in str(two.events("unknown"))

    def test_whoever_fails_without_end_is_held_back(
        self, two: Hospital, monkeypatch: pytest.MonkeyPatch, valkey: Valkey
    ) -> None:
        from cds.fhir import admission

        monkeypatch.setattr(admission, "FAILURES_PER_MINUTE", 0)
        answer = Client(two.app.test_client(), "x").get("Device")
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0

    def test_an_ehr_without_access_tokens_lets_nobody_in(
        self, database: Database, valkey: Valkey, keys: Keys, tenant: str
    ) -> None:
        entry = registration(tenant)
        closed = registration(tenant, accessTokens={"issuer": "https://else.example", "jwks": {"keys": [1]}})
        app = endpoint_of(Registrations([closed]), database, valkey, keys)
        assert Client(app.test_client(), token(entry.issuer)).get("Device").status_code == 401


class TestKeySets:
    def test_the_keys_are_fetched_from_the_registered_url_alone(
        self, database: Database, valkey: Valkey, keys: Keys, tenant: str
    ) -> None:
        asked: list[str] = []

        def jwks(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

        url = "https://auth.example/jwks"
        ehr = registration(tenant, accessTokens={"issuer": "https://auth.example", "jwksUrl": url})
        http = httpx.Client(transport=httpx.MockTransport(jwks))
        app = endpoint_of(Registrations([ehr]), database, valkey, keys, http)
        for _ in range(2):
            sent = token("https://auth.example", header={"jku": "https://evil.example/jwks"})
            assert Client(app.test_client(), sent).get("Device").status_code == 200
        assert asked == [url]
        assert Client(app.test_client(), token("https://evil.example")).get("Device").status_code == 401
        assert asked == [url]


class TestIntrospection:
    """RFC 7662, authenticated with our own key."""

    def hospital(
        self, answer: dict[str, object], database: Database, valkey: Valkey, keys: Keys, tenant: str
    ) -> Hospital:
        self.asked: list[dict[str, list[str]]] = []

        def introspect(request: httpx.Request) -> httpx.Response:
            assert str(request.url) == "https://auth.example/introspect"
            self.asked.append(parse_qs(request.content.decode()))
            return httpx.Response(200, json=answer)

        given = {"issuer": "https://auth.example", "introspectionUrl": "https://auth.example/introspect"}
        ehr = registration(tenant, accessTokens=given)
        http = httpx.Client(transport=httpx.MockTransport(introspect))
        app = endpoint_of(Registrations([ehr]), database, valkey, keys, http)
        return Hospital(app, tenant, ehr, database, Record(database))

    ACTIVE: ClassVar[dict[str, object]] = {
        "active": True,
        "client_id": "backend",
        "sub": "backend",
        "scope": "system/*.rs",
        "aud": f"{OURS}/fhir",
        "exp": time.time() + 86_400,
    }

    def test_an_opaque_token_is_shown_to_the_one_who_gave_it(
        self, database: Database, valkey: Valkey, keys: Keys, tenant: str
    ) -> None:
        hospital = self.hospital(self.ACTIVE, database, valkey, keys, tenant)
        for _ in range(2):
            assert Client(hospital.app.test_client(), "opaque").get("Device").status_code == 200
        (asked,) = self.asked
        assert asked["token"] == ["opaque"]
        assert "client_assertion" in asked

    @pytest.mark.parametrize(
        "changes", [{"active": False}, {"active": "true"}, {"aud": "https://x.example"}, {"exp": 1}, {"iss": "x"}]
    )
    def test_what_it_does_not_vouch_for_is_refused(
        self, changes: dict[str, object], database: Database, valkey: Valkey, keys: Keys, tenant: str
    ) -> None:
        hospital = self.hospital({**self.ACTIVE, **changes}, database, valkey, keys, tenant)
        assert Client(hospital.app.test_client(), "opaque").get("Device").status_code == 401

    def test_of_two_who_introspect_neither_is_shown_an_opaque_token(
        self, database: Database, valkey: Valkey, keys: Keys, tenant: str
    ) -> None:
        entries = [
            registration(
                tenant,
                name,
                accessTokens={
                    "issuer": f"https://{name}.example",
                    "introspectionUrl": f"https://{name}.example/i",
                },
            )
            for name in ("one", "two")
        ]
        app = endpoint_of(Registrations(entries), database, valkey, keys)
        assert Client(app.test_client(), "opaque").get("Device").status_code == 401


class TestScopes:
    @pytest.mark.parametrize(
        ("scope", "reads", "searches"),
        [
            ("system/DiagnosticReport.rs", True, True),
            ("system/DiagnosticReport.r", True, False),
            ("system/DiagnosticReport.s", False, True),
            ("system/DiagnosticReport.read", True, True),
            ("system/*.*", True, True),
            ("system/*.cruds", True, True),
            ("system/DiagnosticReport.write", False, False),
            ("system/DiagnosticReport.c", False, False),
            ("system/Observation.rs", False, False),
            ("system/DiagnosticReport.rs?status=final", False, False),
            ("openid fhirUser launch", False, False),
            ("", False, False),
        ],
    )
    def test_v1_and_v2(self, scope: str, reads: bool, searches: bool, two: Hospital) -> None:
        (id, *_) = two.client().found("DiagnosticReport")
        client = two.client(scope)
        assert client.get(f"DiagnosticReport/{id}").status_code == (200 if reads else 403)
        assert client.get("DiagnosticReport").status_code == (200 if searches else 403)

    def test_a_refusal_is_in_the_trail(self, two: Hospital) -> None:
        two.client("system/Device.rs").get("DiagnosticReport?patient=ada")
        event = two.events()[-1]
        assert (event["outcome"], event["contained"][0]["issue"][0]["code"]) == ("4", "forbidden")

    def test_a_clinician_sees_every_patient(self, two: Hospital) -> None:
        assert len(two.client("user/*.rs", **STAFF).found("DiagnosticReport")) == 2

    @pytest.mark.parametrize("fhir_user", [None, "", "Patient/ada", "https://ehr.example/fhir/RelatedPerson/1"])
    def test_nobody_else_does(self, fhir_user: str | None, two: Hospital) -> None:
        client = two.client("user/*.rs", sub="u1", fhirUser=fhir_user)
        assert client.get("DiagnosticReport").status_code == 403


class TestCompartment:
    """FHIR R4, "Compartment Patient": what a ``patient/`` scope opens."""

    @pytest.fixture
    def ada(self, two: Hospital) -> Client:
        return two.client("patient/*.rs", sub="u1", patient="ada")

    def test_a_search_finds_the_patients_own(self, ada: Client, two: Hospital) -> None:
        for type, count in {"DiagnosticReport": 1, "Observation": 3, "Provenance": 1}.items():
            assert len(ada.found(type)) == count
            assert len(two.client().found(type)) == 2 * count

    def test_another_patient_is_not_there(self, ada: Client, two: Hospital) -> None:
        for type in ("DiagnosticReport", "Observation", "Provenance"):
            own = set(ada.found(type))
            (other, *_) = [id for id in two.client().found(type) if id not in own]
            assert ada.get(f"{type}/{other}").status_code == 404
            assert ada.get(f"{type}/{other}/_history").status_code == 404
            assert ada.get(f"{type}/{other}/_history/1").status_code == 404
            assert ada.found(f"{type}?_id={other}") == []
        assert ada.found("DiagnosticReport?patient=bob") == []
        assert ada.found("DiagnosticReport?subject=Patient/bob") == []

    def test_nothing_of_another_comes_along(self, ada: Client) -> None:
        url = "Device?_revinclude=Provenance:agent"
        entries = ada.get(url).get_json(force=True)["entry"]
        assert sum(entry["resource"]["resourceType"] == "Provenance" for entry in entries) == 1

    def test_who_looked_at_the_patient(self, ada: Client, two: Hospital) -> None:
        before = ada.found("AuditEvent?_count=200")
        events = {event["id"]: event for event in two.events()}
        assert before
        assert all("Patient/ada" in str(events[id]["entity"]) for id in before)

    def test_without_a_patient_in_context_there_is_none(self, two: Hospital) -> None:
        assert two.client("patient/*.rs", sub="u1").get("DiagnosticReport").status_code == 403

    def test_a_patient_of_the_same_id_at_another_ehr_is_another(
        self, database: Database, valkey: Valkey, keys: Keys, tenant: str
    ) -> None:
        ours, theirs = registration(tenant, "one"), registration(tenant, "two")
        app = endpoint_of(Registrations([ours, theirs]), database, valkey, keys)
        hospital = Hospital(app, tenant, ours, database, Record(database))
        hospital.write(results(ours, "ada"), results(theirs, "ada"))
        ada = hospital.client("patient/*.rs", sub="u1", patient="ada")
        (id,) = ada.found("DiagnosticReport")
        subject = ada.get(f"DiagnosticReport/{id}").get_json(force=True)["subject"]["reference"]
        assert subject.startswith(ours.fhir_servers[0])
        assert len(hospital.client().found("DiagnosticReport")) == 2
        assert len(hospital.client().found("DiagnosticReport?patient=ada")) == 1
        # An AuditEvent names Patient/ada, and does not say whose.
        assert ada.get("AuditEvent").status_code == 403


class TestTenants:
    def test_every_interaction_as_another_tenant_finds_nothing(
        self, two: Hospital, database: Database, valkey: Valkey, keys: Keys
    ) -> None:
        other = registration(f"{two.tenant}-2", "other")
        app = endpoint_of(Registrations([two.ehr, other]), database, valkey, keys)
        stranger = Client(app.test_client(), token(other.issuer))
        insider = Client(app.test_client(), token(two.ehr.issuer))
        for type in ("DiagnosticReport", "Observation", "Provenance", "Device", "AuditEvent"):
            ids = insider.found(type)
            assert ids
            assert set(stranger.found(f"{type}?_count=200")) & set(ids) == set()
            assert stranger.found(f"{type}?_id={','.join(ids[:50])}") == []
            for url in (f"{type}/{ids[0]}", f"{type}/{ids[0]}/_history", f"{type}/{ids[0]}/_history/1"):
                assert stranger.get(url).status_code == 404

    def test_a_key_of_one_ehr_signs_for_no_other(
        self, two: Hospital, database: Database, valkey: Valkey, keys: Keys
    ) -> None:
        own = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)
        issuer = "https://other.example"
        given = {"issuer": issuer, "jwks": {"keys": [own.as_dict(private=False)]}}
        other = registration(f"{two.tenant}-2", "other", accessTokens=given)
        app = endpoint_of(Registrations([two.ehr, other]), database, valkey, keys)
        assert Client(app.test_client(), token(issuer, key=own)).get("Device").status_code == 200
        assert Client(app.test_client(), token(two.ehr.issuer, key=own)).get("Device").status_code == 401
