"""The service under attack, as it runs in a hospital, and a client that signs anything."""

from __future__ import annotations

import json
import re
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc.jwk import ECKey, Key

from cds.audit import chain
from cds.audit.trail import UNKNOWN_CALLER
from cds.ehr.prefetch import TEMPLATES
from cds.store.database import Database

Json = dict[str, Any]

PUBLIC = "https://cds.example"
"""The address that the EHRs know; the service listens elsewhere, as behind a reverse proxy."""
PATH = "/cds-services/imaging-prescreen"
FEEDBACK = f"{PATH}/feedback"
TENANT, OTHER_TENANT = "general", "other"
KID, OTHER_KID, RSA_KID, SMALL_KID = "k1", "k2", "rsa", "small"
LEFT_OUT = object()
"""The value of a claim or a field that is to be left out."""


@dataclass(frozen=True)
class Service:
    """Where it listens, who may call it, and the trail that it leaves."""

    base_url: str
    issuer: str
    other_issuer: str
    keys: dict[str, Key]
    fhir: str
    database: Database
    http: httpx.Client

    def header(self, **changes: Any) -> Json:
        return changed({"alg": "ES384", "kid": KID, "typ": "JWT"}, changes)

    def claims(self, **changes: Any) -> Json:
        now = int(time.time())
        given = {"iss": self.issuer, "aud": PUBLIC + PATH, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
        return changed(given, changes)

    def token(self, header: Json | None = None, **claims: Any) -> str:
        """A JWT that is right in all but what is given."""
        return self.signed(header or self.header(), self.claims(**claims))

    def signed(self, header: Json | bytes, claims: Json | bytes, key: Key | None = None) -> str:
        """Any header and any claims, with a good ES384 signature over them."""
        message = f"{b64(header)}.{b64(claims)}"
        signer = key or self.keys[KID]
        assert isinstance(signer, ECKey)
        return f"{message}.{b64(raw_signature(signer, message))}"

    def post(
        self,
        body: Json | bytes | None = None,
        *,
        path: str = PATH,
        token: str | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> httpx.Response:
        """POST to ``path``; signed for it unless ``headers`` or a ``token`` are given."""
        if headers is None:
            headers = [("Authorization", f"Bearer {token or self.token(aud=PUBLIC + path)}")]
        content = body if isinstance(body, bytes) else orjson.dumps(self.request() if body is None else body)
        return self.http.post(path, content=content, headers=[("Content-Type", "application/json"), *headers])

    def request(self, **changes: Any) -> Json:
        """order-sign of nothing that we advise on."""
        given = {
            "hook": "order-sign",
            "hookInstance": str(uuid.uuid4()),
            "context": {
                "userId": "Practitioner/someone",
                "patientId": "p1",
                "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": []},
            },
        }
        return changed(given, changes)

    def order(self, token: str = "lent-for-this-call", **changes: Any) -> Json:
        """order-sign of a chest radiograph for the patient ``p1``."""
        code = {"system": "http://snomed.info/sct", "code": "399208008", "display": "Plain chest X-ray"}
        order = {
            "resourceType": "ServiceRequest",
            "id": "o1",
            "status": "draft",
            "intent": "order",
            "code": {"coding": [code]},
        }
        given = self.request(
            fhirServer=self.fhir,
            fhirAuthorization={
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": 60,
                "scope": "patient/*.rs",
                "subject": "sightline",
            },
            prefetch=supplied(),
        )
        given["context"]["draftOrders"]["entry"] = [{"resource": order}]
        return changed(given, changes)

    @contextmanager
    def audited(self, tenant: str, reason: str) -> Iterator[None]:
        """What is done here must leave a refusal in the tenant's trail that gives this reason."""
        before = self.audit_events(tenant)
        yield
        reasons = self.refusals(tenant, after=before)
        assert any(re.search(reason, given) for given in reasons), reasons

    def audit_events(self, tenant: str) -> int:
        """How many there are in the tenant's trail."""
        with self.database.transaction(tenant) as connection:
            return chain.length(connection, tenant)

    def refusals(self, tenant: str, after: int) -> list[str]:
        """The reasons that the tenant's trail gives, after so many events."""
        with self.database.transaction(tenant) as connection:
            events = [chain.event_of(row.line) for row in chain.rows(connection, tenant, after=after) if row.line]
        return [event["outcomeDesc"] for event in events if "outcomeDesc" in event]

    @contextmanager
    def audited_as_unknown(self, reason: str) -> Iterator[None]:
        with self.audited(UNKNOWN_CALLER, reason):
            yield


def supplied(**resources: Any) -> Json:
    """The prefetch of an EHR that knows the patient and nothing else but what is given."""
    patient = {"resourceType": "Patient", "id": "p1"}
    return dict.fromkeys([*TEMPLATES, "related"]) | {"patient": patient} | resources


def changed(given: Json, changes: Json) -> Json:
    return {name: value for name, value in (given | changes).items() if value is not LEFT_OUT}


def b64(value: Json | bytes) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def raw_signature(key: ECKey, message: str) -> bytes:
    """R and S side by side (RFC 7518 §3.4)."""
    r, s = utils.decode_dss_signature(der_signature(key, message))
    size = (key.curve_key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def der_signature(key: ECKey, message: str) -> bytes:
    private = key.private_key
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private.sign(message.encode(), ec.ECDSA(hashes.SHA384()))


def assert_outcome(answer: httpx.Response, status: int, diagnostics: str) -> None:
    """An OperationOutcome whose sentence holds ``diagnostics`` (a pattern)."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/fhir+json"
    (issue,) = answer.json()["issue"]
    assert re.search(diagnostics, issue["diagnostics"]), issue
