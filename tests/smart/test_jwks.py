"""Our public keys (client-confidential-asymmetric.html, "Registering a client"; RFC 7517)."""

from __future__ import annotations

import time

from cds.keys import Keys
from tests.smart.conftest import Browser

PUBLIC = {"EC": {"kty", "crv", "x", "y", "alg", "use", "kid"}, "RSA": {"kty", "n", "e", "alg", "use", "kid"}}


def test_they_are_public_may_be_kept_and_hold_no_secret(browser: Browser, keys: Keys) -> None:
    response = browser.get("/.well-known/jwks.json")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert response.mimetype == "application/json"
    published = response.get_json()["keys"]
    assert [key["alg"] for key in published] == ["ES384", "RS384"]
    assert all(set(key) == PUBLIC[key["kty"]] and key["use"] == "sig" for key in published)
    assert keys.signing.signer((), time.time()).kid in {key["kid"] for key in published}
