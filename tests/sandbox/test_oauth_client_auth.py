"""Client authentication: SMART's client-confidential-asymmetric (RFC 7523 §3), and RFC 6749 §2.3.1."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from flask import Request
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.test import EnvironBuilder

from cds.sandbox.clients import Client, Clients
from cds.sandbox.oauth.client_auth import ClientAuthentication, ClientKeys
from cds.sandbox.oauth.errors import InvalidClient, OAuthError
from tests.sandbox.smart_app import ASSERTION_TYPE, KEY, TOKEN_URL, assertion, registered

JWKS_URL = "https://app.test/jwks"
STRANGER = ECKey.generate_key("P-384", {"alg": "ES384"}, auto_kid=True)


def request(form: dict[str, str], **more: Any) -> Request:
    return Request(EnvironBuilder(method="POST", data=form, **more).get_environ())


def asserted(token: str, **form: str) -> Request:
    return request({"client_assertion_type": ASSERTION_TYPE, "client_assertion": token, **form})


def authentication(client: Client, handler: Any = None) -> ClientAuthentication:
    http = httpx.Client(transport=httpx.MockTransport(handler or (lambda request: httpx.Response(500))))
    return ClientAuthentication(Clients([client]), ClientKeys(http), (TOKEN_URL,))


@pytest.mark.parametrize("audience", [TOKEN_URL, [TOKEN_URL, "https://another.test"]])
def test_a_good_assertion_names_the_client(audience: Any) -> None:
    assert authentication(registered()).authenticate(asserted(assertion(aud=audience))).id == "app"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 60},
        {"exp": int(time.time()) + 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"aud": "https://another.test/token"},
        {"aud": None},
        {"iss": "another"},
        {"sub": "another"},
        {"sub": None},
        {"jti": None},
        {"jti": ""},
    ],
)
def test_a_claim_that_is_wrong_or_missing_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidClient):
        authentication(registered()).authenticate(asserted(assertion(**claims)))


def test_a_jti_is_good_once() -> None:
    door, token = authentication(registered()), assertion()
    door.authenticate(asserted(token))

    with pytest.raises(InvalidClient, match="used before"):
        door.authenticate(asserted(token))


@pytest.mark.parametrize(
    "header", [{"kid": None}, {"kid": "unknown"}, {"typ": "at+jwt"}, {"jku": "https://evil.test"}]
)
def test_a_header_that_is_wrong_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidClient):
        authentication(registered()).authenticate(asserted(assertion(header=header)))


def test_another_key_does_not_sign_for_the_client() -> None:
    with pytest.raises(InvalidClient, match="signature"):
        authentication(registered()).authenticate(asserted(assertion(key=STRANGER, header={"kid": KEY.kid})))


@pytest.mark.parametrize("alg", ["HS256", "RS256"])
def test_an_algorithm_that_is_not_registered_does_not_sign(alg: str) -> None:
    key: Any = OctKey.generate_key(256) if alg == "HS256" else RSAKey.generate_key(2048)

    with pytest.raises(InvalidClient, match="signature"):
        authentication(registered()).authenticate(asserted(assertion(key=key, alg=alg, header={"kid": KEY.kid})))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.", "ü"])
def test_what_is_no_jwt_is_refused(token: str) -> None:
    with pytest.raises(InvalidClient):
        authentication(registered()).authenticate(asserted(token))


def test_two_ways_at_once_are_refused() -> None:
    with pytest.raises(OAuthError, match="one way"):
        authentication(registered()).authenticate(
            request({"client_assertion": assertion()}, headers={"Authorization": "Basic YTpi"})
        )


def test_a_client_with_keys_has_no_secret(client: FlaskClient) -> None:
    assert client.post("/oauth/token", auth=("app", "")).status_code == 401
    assert client.post("/oauth/token", auth=("secretive", "wrong")).status_code == 401
    good = client.post("/oauth/token", auth=("secretive", "correct horse battery staple"))
    assert good.get_json()["error"] == "unsupported_grant_type"


class TestJwksUrl:
    """The keys are where the registration says, and nowhere else."""

    client = registered(jwks=None, jwks_url=JWKS_URL)

    def test_they_are_fetched_once_and_kept(self) -> None:
        asked: list[str] = []

        def handler(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

        door = authentication(self.client, handler)
        door.authenticate(asserted(assertion()))
        door.authenticate(asserted(assertion(header={"jku": JWKS_URL})))

        assert asked == [JWKS_URL]

    def test_an_unknown_kid_makes_us_look_again_but_not_at_every_call(self) -> None:
        asked: list[str] = []

        def handler(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(200, json={"keys": [STRANGER.as_dict(private=False)]})

        door = authentication(self.client, handler)
        for _ in range(3):
            with pytest.raises(InvalidClient):
                door.authenticate(asserted(assertion()))

        assert len(asked) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500),
            httpx.Response(302, headers={"Location": "https://evil.test"}),
            httpx.Response(200, text="<html>"),
            httpx.Response(200, json=[]),
            httpx.Response(200, json={"keys": [{"kty": "none"}]}),
            httpx.Response(200, content=b" " * 300_000),
        ],
    )
    def test_keys_that_cannot_be_had_let_nobody_in(self, answer: httpx.Response) -> None:
        with pytest.raises(InvalidClient, match="could not be fetched"):
            authentication(self.client, lambda request: answer).authenticate(asserted(assertion()))

    def test_nor_does_a_server_that_is_away(self) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no")

        with pytest.raises(InvalidClient):
            authentication(self.client, handler).authenticate(asserted(assertion()))
