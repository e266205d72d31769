"""The hooks alone: the real door, record and Valkey, and a service that answers without looking at anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from cds.audit.trail import party
from cds.ehr.issuer_keys import IssuerKeys
from cds.hooks import views
from cds.hooks.client_auth import Client, ClientAuthentication
from cds.hooks.discovery import IMAGING_PRESCREEN, SERVICES
from cds.hooks.door import Door
from cds.hooks.order_sign import Answer
from cds.hooks.request import HookRequest
from cds.registration import Registration, Registrations
from cds.reporting.record import Record
from cds.store.database import Database
from cds.store.valkey import Valkey

BASE = "https://cds.example"
PATH = f"/cds-services/{IMAGING_PRESCREEN.id}"
KEY = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig", "kid": "k1"})
LONG_CARD = {"summary": "A card", "detail": "As long as a card is. " * 100}


@dataclass(frozen=True)
class Hooks:
    """The blueprint in an application of its own, and two EHRs that may call it."""

    app: Flask
    tenant: str
    issuer: str
    other_issuer: str

    def call(
        self,
        issuer: str = "",
        *,
        path: str = PATH,
        body: bytes | None = None,
        key: ECKey = KEY,
        address: str = "",
        **headers: str,
    ) -> TestResponse:
        """POST a request, signed for ``path``."""
        now, iss = int(time.time()), issuer or self.issuer
        claims = {"iss": iss, "aud": BASE + path, "iat": now, "exp": now + 300, "jti": str(uuid4())}
        token = jwt.encode({"alg": "ES384", "kid": "k1", "typ": "JWT"}, claims, key, algorithms=["ES384"])
        return self.app.test_client().post(
            path,
            data=orjson.dumps(request()) if body is None else body,
            headers={"Authorization": f"Bearer {token}", **headers},
            environ_base={"REMOTE_ADDR": address or "127.0.0.1"},
        )


def request() -> dict[str, Any]:
    return {
        "hook": "order-sign",
        "hookInstance": str(uuid4()),
        "context": {
            "userId": "Practitioner/someone",
            "patientId": "1",
            "draftOrders": {"resourceType": "Bundle", "entry": []},
        },
    }


def _answer(client: Client, hook: HookRequest, arrived: float) -> Answer:
    return Answer([LONG_CARD])


@pytest.fixture
def hooks(database: Database, valkey: Valkey, tenant: str) -> Callable[..., Hooks]:
    """Make the application, with another Valkey, another rate, or a tenant for the other EHR if need be."""
    us, record = party(BASE), Record(database)
    issuers = [f"https://{name}.{tenant}.example/fhir" for name in ("one", "other")]

    def registered(issuer: str, tenant: str) -> Registration:
        return Registration.from_json(
            {
                "issuer": issuer,
                "tenant": tenant,
                "fhirServers": [issuer],
                "jwks": {"keys": [KEY.as_dict(private=False)]},
                "origins": ["https://ehr.example"],
            }
        )

    def made(
        *,
        rate_per_minute: int = 6000,
        counts: Valkey = valkey,
        other_tenant: str = tenant,
        answer: Callable[[Client, HookRequest, float], Answer] = _answer,
    ) -> Hooks:
        registrations = Registrations(map(registered, issuers, (tenant, other_tenant)))
        clients = ClientAuthentication(registrations, IssuerKeys(httpx.Client()), valkey)
        app = Flask("hooks")
        app.register_blueprint(
            views.blueprint(
                us=us,
                door=Door(us, clients, counts, record, rate_per_minute=rate_per_minute),
                answers=dict.fromkeys(SERVICES, answer),
                registrations=registrations,
                record=record,
            )
        )
        return Hooks(app, tenant, *issuers)

    return made
