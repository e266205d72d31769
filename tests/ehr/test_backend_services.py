"""SMART Backend Services: the assertion, the cache, and where a token may come from and go to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from cds.ehr.backend_services import BackendServices, TokenRequest
from cds.ehr.exchange import exchange
from cds.ehr.smart_configuration import Discovery
from cds.errors import BadAnswer, NotAllowed, Refused, Unreachable, UpstreamError
from cds.keys import Keys
from cds.registration import Registration

BASE = "https://ehr.example/fhir"
TOKEN_URL = "https://auth.ehr.example/oauth/token"
SCOPES = ("system/DiagnosticReport.crs", "system/Observation.crs")


class Ehr:
    """A FHIR server and its authorization server: verifies assertions, counts, and takes only its newest token."""

    def __init__(self, public_keys: dict[str, Any]) -> None:
        self.keys = KeySet.import_key_set(public_keys)  # type: ignore[arg-type]
        self.configuration: dict[str, Any] = {"token_endpoint": TOKEN_URL}
        self.lifetime: object = 300
        self.answer: httpx.Response | None = None
        self.discoveries = 0
        self.assertions: list[jwt.Token] = []
        self.valid: str | None = None
        self.pause = 0.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url == f"{BASE}/.well-known/smart-configuration":
            assert "Authorization" not in request.headers
            self.discoveries += 1
            return httpx.Response(200, json=self.configuration)
        if request.url == self.configuration.get("token_endpoint"):
            return self.token(request)
        if request.headers.get("Authorization") != f"Bearer {self.valid}":
            return httpx.Response(401, content=b"who?")
        return httpx.Response(200, json={"resourceType": "Patient", "id": "p1"})

    def token(self, request: httpx.Request) -> httpx.Response:
        time.sleep(self.pause)
        if self.answer is not None:
            return self.answer
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert form["grant_type"] == "client_credentials"
        assert form["scope"] == " ".join(SCOPES)
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert "client_id" not in form
        self.assertions.append(jwt.decode(form["client_assertion"], self.keys, algorithms=["ES384", "RS384"]))
        self.valid = f"token-{len(self.assertions)}"
        return httpx.Response(
            200, json={"access_token": self.valid, "token_type": "bearer", "expires_in": self.lifetime}
        )


@pytest.fixture
def ehr(keys: Keys) -> Ehr:
    return Ehr(keys.signing.published(time.time()))


@pytest.fixture
def http(ehr: Ehr) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.MockTransport(ehr)) as http:
        yield http


def get(http: httpx.Client, auth: httpx.Auth, url: str = f"{BASE}/Patient/p1") -> int:
    return exchange(http, httpx.Request("GET", url), auth=auth, timeout_s=5).status_code


def test_the_assertion_is_what_smart_asks_for(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    services = BackendServices(http, keys, Discovery(http))
    assert get(http, services.auth(registration, BASE, SCOPES)) == 200
    assertion = ehr.assertions[0]
    key = keys.signing.published(time.time())["keys"][0]
    assert assertion.header == {"alg": "ES384", "typ": "JWT", "kid": key["kid"]}
    claims = assertion.claims
    assert claims["iss"] == claims["sub"] == "sightline"
    assert claims["aud"] == TOKEN_URL
    assert 0 < claims["exp"] - time.time() <= 300


def test_every_assertion_has_its_own_jti(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    ehr.lifetime = 1  # too short to be kept
    auth = BackendServices(http, keys, Discovery(http)).auth(registration, BASE, SCOPES)
    for _ in range(3):
        assert get(http, auth) == 200
    assert len({assertion.claims["jti"] for assertion in ehr.assertions}) == 3


def test_it_signs_with_a_key_that_the_server_can_verify(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    ehr.configuration["token_endpoint_auth_signing_alg_values_supported"] = ["RS384"]
    assert get(http, BackendServices(http, keys, Discovery(http)).auth(registration, BASE, SCOPES)) == 200
    assert ehr.assertions[0].header["alg"] == "RS384"


def test_a_token_is_kept_until_shortly_before_it_expires(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    now = [time.time()]
    services = BackendServices(http, keys, Discovery(http), clock=lambda: now[0])
    for later, minted in ((0, 1), (270, 1), (15, 2), (100, 2)):
        now[0] += later
        assert get(http, services.auth(registration, BASE, SCOPES)) == 200
        assert len(ehr.assertions) == minted
    assert ehr.discoveries == 1


def test_threads_that_need_a_token_at_once_ask_for_one(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    ehr.pause = 0.1
    auth = BackendServices(http, keys, Discovery(http)).auth(registration, BASE, SCOPES)
    together = threading.Barrier(8)

    def call(_: int) -> int:
        together.wait()
        return get(http, auth)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(8))) == [200] * 8
    assert len(ehr.assertions) == 1


def test_a_refused_token_is_replaced_once(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    auth = BackendServices(http, keys, Discovery(http)).auth(registration, BASE, SCOPES)
    assert get(http, auth) == 200
    ehr.valid = "another"  # revoked before its time
    assert get(http, auth) == 200
    assert len(ehr.assertions) == 2


def test_a_server_that_refuses_every_token_is_asked_twice_and_no_more(
    keys: Keys, registration: Registration
) -> None:
    ehr = Ehr(keys.signing.published(time.time()))
    asked = []

    def refusing(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/Patient/p1"):
            asked.append(request.headers["Authorization"])
            return httpx.Response(401, content=(b"x" * 65536 for _ in iter(int, 1)))  # a body without end
        return ehr(request)

    with httpx.Client(transport=httpx.MockTransport(refusing)) as http:
        auth = BackendServices(http, keys, Discovery(http)).auth(registration, BASE, SCOPES)
        with pytest.raises(BadAnswer, match="larger"):
            get(http, auth)
    assert asked == ["Bearer token-1", "Bearer token-2"]


def test_tokens_of_two_scopes_are_two(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    services = BackendServices(http, keys, Discovery(http))
    first = services.token(registration, BASE, " ".join(SCOPES))
    assert services.token(registration, BASE, " ".join(SCOPES)) == first
    ehr.answer = httpx.Response(200, json={"access_token": "other", "token_type": "Bearer", "expires_in": 60})
    assert services.token(registration, BASE, "system/Patient.r") == "other"


# Where tokens come from and go to


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/token",
        "http://auth.ehr.example/oauth/token",
        "https://auth.ehr.example:8443/oauth/token",
        "https://auth.ehr.example.evil.example/token",
        "https://auth.ehr.example@evil.example/token",
        "//evil.example/token",
        "javascript:alert(1)",
    ],
)
def test_a_token_endpoint_on_an_unlisted_host_is_never_called(
    keys: Keys, registration: Registration, endpoint: str
) -> None:
    asked = []

    def ehr(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"token_endpoint": endpoint})

    with httpx.Client(transport=httpx.MockTransport(ehr)) as http:
        auth = BackendServices(http, keys, Discovery(http)).auth(registration, BASE, SCOPES)
        with pytest.raises(NotAllowed):
            get(http, auth)
    assert asked == [f"{BASE}/.well-known/smart-configuration"]


def test_a_relative_token_endpoint_is_below_the_base(ehr: Ehr, keys: Keys, registration: Registration) -> None:
    ehr.configuration["token_endpoint"] = "oauth/token"
    requested: list[TokenRequest] = []
    ehr.answer = httpx.Response(500)

    def at_base(request: httpx.Request) -> httpx.Response:
        return ehr.token(request) if request.url == f"{BASE}/oauth/token" else ehr(request)

    with httpx.Client(transport=httpx.MockTransport(at_base)) as http:
        services = BackendServices(http, keys, Discovery(http), on_token=requested.append)
        with pytest.raises(BadAnswer):
            services.token(registration, BASE, "system/Patient.r")
    assert requested[0].token_endpoint == f"{BASE}/oauth/token"


def test_a_base_that_is_not_registered_gets_no_auth(
    http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    services = BackendServices(http, keys, Discovery(http))
    with pytest.raises(NotAllowed):
        services.auth(registration, "https://evil.example/fhir", SCOPES)
    with pytest.raises(NotAllowed):
        services.auth(registration, BASE, SCOPES, root="https://evil.example/dicom-web")


def test_the_token_goes_to_its_destination_alone(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    services = BackendServices(http, keys, Discovery(http))
    pacs = services.auth(registration, BASE, SCOPES, root="https://pacs.example/dicom-web")
    assert get(http, pacs, "https://pacs.example/dicom-web/studies/1.2") == 200
    for auth, url in (
        (pacs, f"{BASE}/Patient/p1"),
        (pacs, "https://pacs.example/admin"),
        (services.auth(registration, BASE, SCOPES), "https://pacs.example/dicom-web/studies/1.2"),
    ):
        with pytest.raises(NotAllowed):
            get(http, auth, url)


# Bad answers


@pytest.mark.parametrize(
    ("answer", "leaf", "message"),
    [
        (
            httpx.Response(400, json={"error": "invalid_client", "error_description": "key of Jane"}),
            Refused,
            "the token endpoint gave no token (invalid_client)",
        ),
        (httpx.Response(401, json={"error": "jane"}), Refused, "the token endpoint gave no token"),
        (httpx.Response(400, content=b"<html>"), Refused, "the token endpoint gave no token"),
        (httpx.Response(302, headers={"Location": TOKEN_URL}), BadAnswer, "redirect"),
        (httpx.Response(200, content=b"{"), BadAnswer, "not JSON"),
        (httpx.Response(200, json={"token_type": "bearer", "expires_in": 9}), BadAnswer, "no bearer token"),
        (
            httpx.Response(200, json={"access_token": "t", "token_type": "mac", "expires_in": 9}),
            BadAnswer,
            "no bearer",
        ),
        (
            httpx.Response(200, json={"access_token": "t", "token_type": "bearer"}),
            BadAnswer,
            "when the token expires",
        ),
        (
            httpx.Response(200, json={"access_token": "t", "token_type": "bearer", "expires_in": True}),
            BadAnswer,
            "when the token expires",
        ),
        (httpx.Response(200, content=b" " * 300_000), BadAnswer, "larger"),
    ],
)
def test_a_bad_answer_is_a_plain_error_and_an_event(
    *,
    ehr: Ehr,
    http: httpx.Client,
    keys: Keys,
    registration: Registration,
    answer: httpx.Response,
    leaf: type[UpstreamError],
    message: str,
) -> None:
    ehr.answer = answer
    requested: list[TokenRequest] = []
    services = BackendServices(http, keys, Discovery(http), on_token=requested.append)
    with pytest.raises(leaf, match=message.replace("(", r"\(").replace(")", r"\)")) as caught:
        services.token(registration, BASE, "system/Patient.r")
    assert "jane" not in str(caught.value).lower()
    assert [request.succeeded for request in requested] == [False]


def test_a_failure_is_not_remembered(ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration) -> None:
    services = BackendServices(http, keys, Discovery(http))
    auth = services.auth(registration, BASE, SCOPES)
    ehr.answer = httpx.Response(503)
    with pytest.raises(BadAnswer):
        get(http, auth)
    ehr.answer = None
    assert get(http, auth) == 200
    assert ehr.discoveries == 2


def test_who_waits_too_long_for_another_thread_is_told(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    ehr.pause = 0.5
    services = BackendServices(http, keys, Discovery(http), timeout_s=0.1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(services.token, registration, BASE, " ".join(SCOPES))
        time.sleep(0.1)
        with pytest.raises(Unreachable):
            services.token(registration, BASE, " ".join(SCOPES))
        with pytest.raises(Unreachable):
            first.result()


def test_every_request_is_an_event_for_the_audit_trail(
    ehr: Ehr, http: httpx.Client, keys: Keys, registration: Registration
) -> None:
    requested: list[TokenRequest] = []
    services = BackendServices(http, keys, Discovery(http), on_token=requested.append)
    token = services.token(registration, BASE, " ".join(SCOPES))
    assert requested == [
        TokenRequest(
            tenant="st-elsewhere",
            issuer=BASE,
            fhir_server=BASE,
            token_endpoint=TOKEN_URL,
            client_id="sightline",
            scope=" ".join(SCOPES),
            succeeded=True,
        )
    ]
    assert token not in repr(requested)
