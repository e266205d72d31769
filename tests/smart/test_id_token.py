"""The id_token (OpenID Connect Core 1.0, 3.1.3.7): only one that holds in every point signs anybody in."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.test import TestResponse

from tests.smart.conftest import BASE, ISSUER_KEY, JWKS, Browser, Ehr, signed

SignIn = Callable[[], TestResponse]

STRANGER = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig", "kid": "issuer-1"})
RSA = RSAKey.generate_key(2048, {"use": "sig", "kid": "rsa-1"})
NOW = int(time.time())


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in (header, claims))
    return ".".join(parts) + "."


def tampered(claims: dict[str, Any]) -> str:
    head, _, signature = signed(claims).split(".")
    return f"{head}.{unsigned(claims | {'sub': 'admin'}, {}).split('.')[1]}.{signature}"


TOKENS: dict[str, Callable[[dict[str, Any]], str]] = {
    "alg none": lambda claims: unsigned(claims, {"alg": "none"}),
    "no signature": lambda claims: unsigned(claims, {"alg": "ES384", "kid": "issuer-1"}),
    "changed claims": tampered,
    "a stranger's key of the same kid": lambda claims: signed(claims, STRANGER),
    "a key in the header": lambda claims: signed(claims, STRANGER, jwk=STRANGER.as_dict(private=False)),
    "an unknown kid": lambda claims: signed(claims, kid="issuer-9"),
    "HS256 with the public key": lambda claims: signed(
        claims, OctKey.import_key(ISSUER_KEY.as_pem(private=False).replace(b"-----", b"")), alg="HS256"
    ),
    "an algorithm of another key type": lambda claims: unsigned(claims, {"alg": "RS256", "kid": "issuer-1"}),
    "no JWT": lambda claims: "hello",
    "five parts": lambda claims: "a.b.c.d.e",
    "too long": lambda claims: signed(claims | {"pad": "x" * 20000}),
    "crit": lambda claims: unsigned(claims, {"alg": "ES384", "kid": "issuer-1", "crit": ["exp"]}),
}

CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "a longer issuer": {"iss": f"{BASE}/"},
    "no issuer": {"iss": None},
    "an issuer list": {"iss": [BASE]},
    "another audience": {"aud": "another-app"},
    "no audience": {"aud": None},
    "many audiences, not said for whom": {"aud": ["sightline", "another-app"]},
    "many audiences, for another": {"aud": ["sightline", "another-app"], "azp": "another-app"},
    "authorized for another": {"azp": "another-app"},
    "another nonce": {"nonce": "guessed"},
    "no nonce": {"nonce": None},
    "expired": {"iat": NOW - 4000, "exp": NOW - 400},
    "no exp": {"exp": None},
    "exp as text": {"exp": str(NOW + 300)},
    "from the future": {"iat": NOW + 4000, "exp": NOW + 8000},
    "no iat": {"iat": None},
    "not yet valid": {"nbf": NOW + 4000},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is no string": {"sub": {"id": 1}},
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_that_does_not_verify(
    token: Callable[[dict[str, Any]], str], sign_in: SignIn, browser: Browser, ehr: Ehr
) -> None:
    ehr.id_token = token
    refused(sign_in(), browser)


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_claim_that_does_not_hold(claims: dict[str, Any], sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    ehr.claims = claims
    refused(sign_in(), browser)


KEYS = {
    "none": httpx.Response(200, json={"keys": []}),
    "no list": httpx.Response(200, json={"keys": "issuer-1"}),
    "no object": httpx.Response(200, json=[]),
    "no JSON": httpx.Response(200, text="hello"),
    "broken": httpx.Response(200, json={"keys": [{"kty": "EC", "kid": "issuer-1"}]}),
    "secret ones": httpx.Response(200, json={"keys": [{"kty": "oct", "kid": "issuer-1", "k": "c2VjcmV0"}]}),
    "a redirect": httpx.Response(302, headers={"Location": "https://evil.example/jwks"}),
    "huge": httpx.Response(200, content=b" " * 2**20),
}


@pytest.mark.parametrize("answer", KEYS.values(), ids=KEYS.keys())
def test_keys_that_verify_nothing(answer: httpx.Response, sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    ehr.answers[JWKS] = lambda request: answer
    refused(sign_in(), browser)


@pytest.mark.parametrize("jwks_uri", ["https://evil.example/jwks", "http://auth.ehr.example/jwks", None, 5])
def test_keys_from_elsewhere_are_not_fetched(
    jwks_uri: str | None, sign_in: SignIn, browser: Browser, ehr: Ehr
) -> None:
    ehr.configuration["jwks_uri"] = jwks_uri
    refused(sign_in(), browser)


class TestWithoutAJwksUri:
    """OpenID Connect Discovery 1.0, 4, says where the keys are."""

    URL = f"{BASE}/.well-known/openid-configuration"

    def document(self, ehr: Ehr, **document: Any) -> None:
        del ehr.configuration["jwks_uri"]
        ehr.answers[self.URL] = lambda request: httpx.Response(200, json=document)

    def test_the_issuers_own_document_does(self, sign_in: SignIn, ehr: Ehr) -> None:
        self.document(ehr, issuer=BASE, jwks_uri=JWKS)
        assert sign_in().status_code == 303
        assert self.URL in ehr.called

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"issuer": BASE},
            {"issuer": "https://evil.example", "jwks_uri": JWKS},
            {"issuer": BASE, "jwks_uri": "https://evil.example/jwks"},
        ],
    )
    def test_one_that_does_not_hold_signs_nobody_in(
        self, document: dict[str, Any], sign_in: SignIn, browser: Browser, ehr: Ehr
    ) -> None:
        self.document(ehr, **document)
        refused(sign_in(), browser)

    def test_an_issuer_elsewhere_is_not_asked(self, sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
        self.document(ehr)
        ehr.configuration["issuer"] = "https://evil.example"
        refused(sign_in(), browser)


def test_the_keys_are_kept_for_the_next_login(sign_in: SignIn, ehr: Ehr) -> None:
    sign_in()
    sign_in()
    assert ehr.called.count(JWKS) == 1


def test_a_server_without_openid_connect_signs_nobody_in(sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    del ehr.configuration["issuer"]
    refused(sign_in(), browser)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "PS256"])
def test_an_issuer_may_sign_with_rsa(algorithm: str, sign_in: SignIn, ehr: Ehr) -> None:
    published = [RSA.as_dict(private=False), ISSUER_KEY.as_dict(private=False), {"kty": "OKP", "kid": "x"}]
    ehr.answers[JWKS] = lambda request: httpx.Response(200, json={"keys": published})
    ehr.id_token = lambda claims: signed(claims, RSA, alg=algorithm, kid="rsa-1")
    assert sign_in().status_code == 303


def test_an_issuer_with_one_key_need_not_name_it(sign_in: SignIn, ehr: Ehr) -> None:
    ehr.id_token = lambda claims: signed(claims, kid=None)
    assert sign_in().status_code == 303


def test_the_audience_may_be_a_list_of_one(sign_in: SignIn, ehr: Ehr) -> None:
    ehr.claims = {"aud": ["sightline"]}
    assert sign_in().status_code == 303


def refused(response: TestResponse, browser: Browser) -> None:
    assert response.status_code in (403, 502)
    assert not any("session" in c for c in response.headers.getlist("Set-Cookie"))
    assert browser.get("/smart/").status_code == 401
