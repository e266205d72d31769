"""The endpoint alone, over a real database: two hospitals, each with an authorization server of its own."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from cds.audit import chain
from cds.audit.trail import OnBehalf, Trail, party
from cds.ehr.issuer_keys import IssuerKeys
from cds.fhir import views
from cds.fhir.admission import Admission
from cds.fhir.endpoint import Endpoint
from cds.fhir.pages import Pages
from cds.fhir.tokens import Tokens
from cds.findings import Prescreen
from cds.keys import Keys
from cds.registration import Registration, Registrations
from cds.reporting.record import Record, kept, reported
from cds.store.database import Database
from cds.store.valkey import Valkey
from tests import opened
from tests.prescreens import prescreen

OURS = "https://cds.example"
BASE = f"{OURS}/fhir"
KEY = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)
OTHER_KEY = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)


def token(issuer: str, *, key: ECKey = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """An access token; name a claim to change it, or give None to leave it out."""
    now = int(time.time())
    given: dict[str, Any] = {
        "iss": issuer,
        "sub": "backend",
        "client_id": "backend",
        "aud": BASE,
        "scope": "system/*.rs",
        "iat": now,
        "exp": now + 300,
        "jti": secrets.token_hex(8),
    } | claims
    kept = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(
        {"alg": "ES384", "typ": "at+jwt", "kid": key.kid} | (header or {}),
        kept,
        key,
        algorithms=["ES384", "HS256"],
    )


def registration(tenant: str, name: str = "ehr", **changes: Any) -> Registration:
    base = f"https://{name}.example/{tenant}/fhir"
    entry = {
        "issuer": base,
        "tenant": tenant,
        "fhirServers": [base],
        "jwks": {"keys": []},
        "jwksUrl": f"{base}/jwks",
        "clientId": "sightline",
        "origins": [f"https://{name}.example"],
        "accessTokens": {"issuer": base, "jwks": {"keys": [KEY.as_dict(private=False)]}},
    } | changes
    return Registration.from_json(entry)


def results(ehr: Registration, patient: str, **changes: Any) -> Prescreen:
    """A prescreen of the patient that looks like no other's."""
    given = prescreen(tenant=ehr.tenant, patient=f"Patient/{patient}", fhir_server=ehr.fhir_servers[0], **changes)
    id = str(uuid5(UUID(given.id), f"{ehr.issuer} {patient} {given.issued}"))
    return replace(given, id=id, key=id)


@dataclass
class Client:
    """Asks the endpoint with one token."""

    http: FlaskClient
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, url: str, **headers: str) -> TestResponse:
        return self.open("GET", url, **headers)

    def open(self, method: str, url: str, *, data: Any = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {self.token}", **self.headers, **named}
        return self.http.open(f"/fhir/{url}".rstrip("/"), method=method, headers=sent, data=data, base_url=OURS)

    def found(self, url: str) -> list[str]:
        """The ids that a search matches, in their order."""
        answer = self.get(url)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        entries = answer.get_json(force=True).get("entry", [])
        return [entry["resource"]["id"] for entry in entries if entry["search"]["mode"] == "match"]


@dataclass
class Hospital:
    """The endpoint of one tenant with two EHRs' worth of fixtures to fill it."""

    app: Flask
    tenant: str
    ehr: Registration
    database: Database
    record: Record

    def client(self, scope: str = "system/*.rs", **claims: Any) -> Client:
        return Client(self.app.test_client(), token(self.ehr.issuer, scope=scope, **claims))

    def write(self, *prescreens: Prescreen) -> None:
        for one in prescreens:
            trail = Trail(party(OURS), OnBehalf())
            self.record.write(one.tenant, trail, kept(one, trail), reported(one, trail))

    def events(self, tenant: str | None = None) -> list[dict[str, Any]]:
        """The audit trail, oldest first."""
        with self.database.transaction(tenant or self.tenant) as connection:
            return opened.events(connection, tenant or self.tenant)

    def append(self, *events: dict[str, Any]) -> None:
        with self.database.transaction(self.tenant) as connection:
            chain.append_many(connection, self.tenant, events)


def endpoint_of(
    registrations: Registrations, database: Database, valkey: Valkey, keys: Keys, http: httpx.Client | None = None
) -> Flask:
    us, record = party(OURS), Record(database)
    http = http or httpx.Client(transport=httpx.MockTransport(_away))
    tokens = Tokens(registrations, http, keys, IssuerKeys(http), BASE)
    endpoint = Endpoint(
        us, BASE, Admission(us, tokens, valkey, record), registrations, database, record, Pages(keys.handle)
    )
    app = Flask("fhir")
    app.register_blueprint(views.blueprint(endpoint))
    return app


def _away(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nobody may be asked, and {request.url} was")


@pytest.fixture
def hospital(database: Database, valkey: Valkey, keys: Keys, tenant: str) -> Hospital:
    ehr = registration(tenant)
    app = endpoint_of(Registrations([ehr]), database, valkey, keys)
    return Hospital(app, tenant, ehr, database, Record(database))


@pytest.fixture
def client(hospital: Hospital) -> Client:
    """A backend service that may read everything."""
    return hospital.client()
