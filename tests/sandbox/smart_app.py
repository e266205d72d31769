"""An app that is registered with the sandbox, and goes through SMART's flows as one would in a browser."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from cds.sandbox.clients import Client

BASE = "http://sandbox.test"
ISSUER = f"{BASE}/fhir"
TOKEN_URL = f"{BASE}/oauth/token"
REDIRECT_URI = "https://app.test/callback"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "launch openid fhirUser online_access patient/Patient.r patient/Observation.rs"

KEY = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)


def registered(**changes: Any) -> Client:
    """How the sandbox knows the app."""
    values: dict[str, Any] = {
        "id": "app",
        "name": "Trial app",
        "redirect_uris": (REDIRECT_URI,),
        "launch_url": "https://app.test/launch",
        "scopes": (
            "launch",
            "launch/patient",
            "openid",
            "fhirUser",
            "online_access",
            "patient/*.rs",
            "system/*.rs",
        ),
        "jwks": {"keys": [KEY.as_dict(private=False)]},
    }
    return Client(**(values | changes))


def assertion(*, key: ECKey = KEY, alg: str = "ES384", header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A client assertion; name a claim to change it, or give None to leave it out."""
    now = int(time.time())
    given = {"iss": "app", "sub": "app", "aud": TOKEN_URL, "exp": now + 60, "jti": secrets.token_hex(8)} | claims
    kept = {name: value for name, value in given.items() if value is not None}
    named = {name: v for name, v in ({"alg": alg, "kid": key.kid} | (header or {})).items() if v is not None}
    return jwt.encode(named, kept, key, algorithms=[alg])


def signed_in(**claims: Any) -> dict[str, str]:
    """The form parameters of private_key_jwt."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion(**claims)}


class SmartApp:
    """Holds what an app holds between its requests: ``state``, ``nonce`` and the PKCE verifier."""

    def __init__(self, browser: FlaskClient) -> None:
        self.browser = browser
        self.state = secrets.token_urlsafe(16)
        self.nonce = secrets.token_urlsafe(16)
        self.verifier = secrets.token_urlsafe(48)

    def authorize(self, **changes: str | None) -> TestResponse:
        """The authorization request; name a parameter to change it, or give None to leave it out."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "app",
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": self.state,
            "aud": ISSUER,
            "nonce": self.nonce,
            "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        } | changes
        kept = {name: value for name, value in parameters.items() if value is not None}
        return self.browser.get("/oauth/authorize", query_string=kept)

    def token(self, **form: str | list[str]) -> TestResponse:
        return self.browser.post("/oauth/token", data=signed_in() | form)

    def redeem(self, code: str, **changes: str) -> TestResponse:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.verifier,
        }
        return self.token(**(form | changes))


def answered(response: TestResponse) -> dict[str, str]:
    """What the authorization endpoint sent back to the app."""
    assert response.status_code == 303, response.get_data(as_text=True)
    location = response.headers["Location"]
    assert location.startswith(f"{REDIRECT_URI}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
