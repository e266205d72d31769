"""Our public keys (checklist, "Callback and token": publish own JWKS)."""

from __future__ import annotations

from cds.keys import Keys
from tests.smart.conftest import Browser


def test_they_are_public_may_be_kept_and_hold_no_secret(browser: Browser, keys: Keys) -> None:
    response = browser.get("/.well-known/jwks.json")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert response.mimetype == "application/json"
    (key,) = response.get_json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-384", "ES384", "sig")
    assert key["kid"] == keys.signing.keys[0].kid
    assert set(key) == {"kty", "crv", "x", "y", "alg", "use", "kid"}
