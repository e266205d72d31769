"""A clinician's browser, and an authorization server that says whatever an attack needs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.attack.parties import Ehr
from tests.attack.service import KID, Service, b64, changed

Json = dict[str, Any]
Query = list[tuple[str, str]]


@dataclass
class Clinician:
    """Goes where we send it, by hand: what comes in between is the attacker's."""

    service: Service
    ehr: Ehr
    cookies: dict[str, str] = field(default_factory=dict)
    nonce: str = ""

    def get(self, path: str, query: Query | None = None) -> httpx.Response:
        self.service.http.cookies.clear()  # it would not send back a Secure one without TLS
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.service.http.get(path, params=query, headers={"Cookie": cookie} if cookie else {})
        for header in answer.headers.get_list("Set-Cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def launch(self, base: str | None = None) -> httpx.Response:
        return self.get("/smart/launch", [("iss", base or self.ehr.fhir), ("launch", "opaque")])

    def authorized(self) -> dict[str, str]:
        """A launch up to what the authorization server answers."""
        answer = self.launch()
        assert answer.status_code == 303, answer.text
        asked = {name: value for name, (value,) in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
        self.nonce = asked["nonce"]
        return {"code": "a-code", "state": asked["state"], "iss": self.ehr.fhir}

    def callback(self, **query: str) -> httpx.Response:
        return self.get("/smart/callback", list(query.items()))

    def claims(self, **changes: Any) -> Json:
        """Of an id_token for the launch that is under way."""
        now = int(time.time())
        given = {
            "iss": self.ehr.fhir,
            "sub": "u1",
            "aud": "sightline",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "fhirUser": f"{self.ehr.fhir}/Practitioner/u1",
        }
        return changed(given, changes)

    def id_token(self, **claims: Any) -> str:
        return self.service.signed({"alg": "ES384", "kid": KID}, self.claims(**claims))


def token_answer(id_token: str, /, **changes: Any) -> Json:
    given = {
        "access_token": "an-access-token",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "launch openid fhirUser patient/Patient.r",
        "patient": "p1",
        "id_token": id_token,
    }
    return changed(given, changes)


def configuration(ehr: Ehr, base: str, **changes: Any) -> Json:
    """A SMART configuration of an EHR that means well."""
    given = {
        "issuer": base,
        "jwks_uri": f"{ehr.base_url}/oauth/jwks",
        "authorization_endpoint": f"{ehr.base_url}/oauth/authorize",
        "token_endpoint": f"{ehr.base_url}/oauth/token",
        "code_challenge_methods_supported": ["S256"],
    }
    return changed(given, changes)


def unsigned(header: Json, claims: Json) -> str:
    return f"{b64(header)}.{b64(claims)}."
