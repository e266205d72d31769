"""CDS Hooks 2.0, "Trusting CDS Clients": the order of checks in ``cds.hooks.client_auth``."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from cds.ehr.issuer_keys import IssuerKeys
from cds.errors import Unauthenticated, Unreachable
from cds.hooks.client_auth import Client, ClientAuthentication
from cds.registration import Registration, Registrations

ENDPOINT = "https://cds.example/cds-services/imaging-prescreen"
ISSUER = "https://ehr.example/fhir"
KEY = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig", "kid": "k1"})
OTHER = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig", "kid": "k1"})
RSA = RSAKey.generate_key(2048, {"use": "sig", "kid": "r1"})


class Marks:
    """Replay marks in memory, with the one answer that the real ones can also give: away."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.away = False

    def once(self, key: str, ttl_s: float) -> bool:
        assert ttl_s > 0
        if self.away:
            raise Unreachable("Valkey is away")
        new = key not in self.seen
        self.seen.add(key)
        return new


def registration(**changes: Any) -> Registration:
    entry = {
        "issuer": ISSUER,
        "tenant": "general",
        "fhirServers": [ISSUER],
        "jwks": {"keys": [KEY.as_dict(private=False), RSA.as_dict(private=False)]},
    }
    return Registration.from_json({k: v for k, v in (entry | changes).items() if v is not None})


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    given = {"iss": ISSUER, "aud": ENDPOINT, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
    return {k: v for k, v in (given | changes).items() if v is not None}


def header(**changes: Any) -> dict[str, Any]:
    given = {"alg": "ES384", "kid": "k1", "typ": "JWT"}
    return {k: v for k, v in (given | changes).items() if v is not None}


def signed(head: Mapping[str, Any], body: Mapping[str, Any], key: Any = KEY) -> str:
    return jwt.encode(dict(head), dict(body), key, algorithms=[head["alg"]])


def unsigned(head: Mapping[str, Any], body: Mapping[str, Any] | str, signature: str = "") -> str:
    def b64(value: Mapping[str, Any] | str) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    return f"{b64(head)}.{b64(body)}.{signature}"


def no_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} must not be called")


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture
def authenticate(marks: Marks) -> Callable[[str], Client]:
    with httpx.Client(transport=httpx.MockTransport(no_network)) as http:
        door = ClientAuthentication(Registrations([registration()]), IssuerKeys(http), marks)
        yield lambda token: door.client(f"Bearer {token}", ENDPOINT)


def test_a_well_signed_call_is_its_issuers(authenticate: Callable[[str], Client]) -> None:
    assert authenticate(signed(header(), claims())).tenant == "general"


def test_audience_may_be_a_list(authenticate: Callable[[str], Client]) -> None:
    authenticate(signed(header(), claims(aud=["https://elsewhere.example", ENDPOINT])))


def test_a_listed_jku_is_taken_and_not_followed_where_keys_are_pinned() -> None:
    url = "https://unreachable.example/jwks"
    with httpx.Client(transport=httpx.MockTransport(no_network)) as http:
        door = ClientAuthentication(Registrations([registration(jwksUrl=url)]), IssuerKeys(http), Marks())
        door.client("Bearer " + signed(header(jku=url), claims()), ENDPOINT)


PUBLIC_PEM = KEY.as_pem(private=False)
NOW = int(time.time())
ATTACKS: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned(header(alg="none"), claims()),
    "alg none with a signature": lambda: unsigned(header(alg="none"), claims(), "AAAA"),
    "HS256 with the public key": lambda: signed(
        header(alg="HS256"), claims(), OctKey.import_key(PUBLIC_PEM.replace(b"-----", b""))
    ),
    "an algorithm that is not registered": lambda: signed(header(alg="RS256", kid="r1"), claims(), RSA),
    "a key of another type": lambda: unsigned(header(alg="RS384", kid="k1"), claims(), "AAAA"),
    "another key of the same kid": lambda: signed(header(), claims(), OTHER),
    "no kid": lambda: signed(header(kid=None), claims()),
    "an unknown kid": lambda: signed(header(kid="k9"), claims()),
    "no typ": lambda: signed(header(typ=""), claims()),
    "another typ": lambda: signed(header(typ="at+jwt"), claims()),
    "crit": lambda: unsigned(header(crit=["b64"], b64=False), claims(), "AAAA"),
    "a jku where keys are pinned": lambda: signed(header(jku="https://evil.example/jwks"), claims()),
    "a jku that is null": lambda: unsigned(header() | {"jku": None}, claims(), "AAAA"),
    "an unregistered issuer": lambda: signed(header(), claims(iss="https://evil.example")),
    "an issuer that is no string": lambda: signed(header(), claims(iss=["a"])),
    "no issuer": lambda: signed(header(), claims(iss=None)),
    "another service": lambda: signed(header(), claims(aud=ENDPOINT.replace("imaging", "other"))),
    "the service's base": lambda: signed(header(), claims(aud="https://cds.example/cds-services")),
    "a longer path": lambda: signed(header(), claims(aud=ENDPOINT + "/feedback")),
    "a trailing slash": lambda: signed(header(), claims(aud=ENDPOINT + "/")),
    "no audience": lambda: signed(header(), claims(aud=None)),
    "expired": lambda: signed(header(), claims(iat=NOW - 4000, exp=NOW - 3700)),
    "from the future": lambda: signed(header(), claims(iat=NOW + 3000, exp=NOW + 3300)),
    "not before tomorrow": lambda: signed(header(), claims(nbf=NOW + 3000)),
    "nbf as text": lambda: signed(header(), claims(nbf="0")),
    "lives for a day": lambda: signed(header(), claims(exp=NOW + 86400)),
    "expires before it was issued": lambda: signed(header(), claims(iat=NOW + 20, exp=NOW + 10)),
    "no exp": lambda: signed(header(), claims(exp=None)),
    "no iat": lambda: signed(header(), claims(iat=None)),
    "exp as text": lambda: signed(header(), claims(exp="9999999999")),
    "exp beyond all bounds": lambda: signed(header(), claims(exp=2**70)),
    "another tenant": lambda: signed(header(), claims(tenant="other")),
    "no jti": lambda: signed(header(), claims(jti=None)),
    "an empty jti": lambda: signed(header(), claims(jti="")),
    "a jti without end": lambda: signed(header(), claims(jti="x" * 300)),
    "changed claims": lambda: (
        signed(header(), claims()).rsplit(".", 2)[0]
        + "."
        + unsigned({}, claims(tenant="general")).split(".")[1]
        + "."
        + signed(header(), claims()).rsplit(".", 1)[1]
    ),
    "a cut signature": lambda: signed(header(), claims())[:-8],
    "no signature": lambda: signed(header(), claims()).rsplit(".", 1)[0] + ".",
    "a claim that stands twice": lambda: unsigned(
        header(), f'{{"iss":"https://evil.example","iss":"{ISSUER}"}}', "AAAA"
    ),
    "claims nested without end": lambda: unsigned(header(), "[" * 4000, "AAAA"),
    "claims that are no object": lambda: unsigned(header(), "[]", "AAAA"),
    "too long": lambda: signed(header(), claims(pad="x" * 9000)),
    "no JWT at all": lambda: "hello",
    "five parts": lambda: "a.b.c.d.e",
    "not base64": lambda: "!.!.!",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_refused(attack: Callable[[], str], authenticate: Callable[[str], Client]) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(attack())


@pytest.mark.parametrize("value", [None, "", "Basic abc", "Bearer", "Bearer "])
def test_refused_without_a_bearer_token(value: str | None, marks: Marks) -> None:
    with httpx.Client(transport=httpx.MockTransport(no_network)) as http:
        door = ClientAuthentication(Registrations([registration()]), IssuerKeys(http), marks)
        with pytest.raises(Unauthenticated):
            door.client(value, ENDPOINT)


@pytest.mark.filterwarnings("ignore:Key size")
def test_a_short_rsa_key_opens_nothing() -> None:
    """RFC 7518 §3.3: 2048 bits at least, whatever was registered."""
    short = RSAKey.generate_key(1024, {"use": "sig", "kid": "r1"})
    registered = registration(jwks={"keys": [short.as_dict(private=False)]})
    door = ClientAuthentication(Registrations([registered]), IssuerKeys(httpx.Client()), Marks())
    with pytest.raises(Unauthenticated, match="not exactly one key"):
        door.client("Bearer " + signed(header(alg="RS384", kid="r1"), claims(), short), ENDPOINT)


def test_a_jti_is_used_once(authenticate: Callable[[str], Client]) -> None:
    token = signed(header(), claims())
    authenticate(token)
    with pytest.raises(Unauthenticated, match="used before"):
        authenticate(token)


def test_no_jti_of_one_issuer_burns_anothers() -> None:
    near = f"{ISSUER}:443"
    registered = Registrations([registration(), registration(issuer=near)])
    door = ClientAuthentication(registered, IssuerKeys(httpx.Client()), Marks())
    door.client("Bearer " + signed(header(), claims(jti="443:x")), ENDPOINT)
    door.client("Bearer " + signed(header(), claims(iss=near, jti="x")), ENDPOINT)


def test_a_forged_call_does_not_burn_a_jti(authenticate: Callable[[str], Client]) -> None:
    given = claims()
    with pytest.raises(Unauthenticated):
        authenticate(signed(header(), given, OTHER))
    authenticate(signed(header(), given))


def test_without_replay_marks_the_door_stays_shut(authenticate: Callable[[str], Client], marks: Marks) -> None:
    marks.away = True
    with pytest.raises(Unauthenticated, match="Valkey"):
        authenticate(signed(header(), claims()))


class TestKeysByUrl:
    URL = "https://ehr.example/jwks"

    def door(
        self, answer: Callable[[httpx.Request], httpx.Response], clock: Callable[[], float] = time.monotonic
    ) -> ClientAuthentication:
        http = httpx.Client(transport=httpx.MockTransport(answer))
        known = Registrations([registration(jwks=None, jwksUrl=self.URL)])
        return ClientAuthentication(known, IssuerKeys(http, clock=clock), Marks())

    def test_fetched_once_for_many_calls(self) -> None:
        called: list[str] = []

        def jwks(request: httpx.Request) -> httpx.Response:
            called.append(str(request.url))
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

        door = self.door(jwks)
        for _ in range(3):
            door.client("Bearer " + signed(header(), claims()), ENDPOINT)
        assert called == [self.URL]

    def test_another_jku_is_refused_without_a_call(self) -> None:
        with pytest.raises(Unauthenticated, match="jku"):
            self.door(no_network).client(
                "Bearer " + signed(header(jku="https://evil.example/jwks"), claims()), ENDPOINT
            )

    def test_an_unknown_kid_asks_again_but_no_oftener_than_every_half_minute(self) -> None:
        asked: list[str] = []

        def jwks(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False) | {"kid": f"k{len(asked)}"}]})

        now = [0.0]
        door = self.door(jwks, clock=lambda: now[0])
        for later, kid, asks in ((0, "k1", 1), (10, "k2", 1), (20, "k9", 1), (40, "k2", 2), (50, "k1", 2)):
            now[0] = later
            with suppress(Unauthenticated):
                door.client("Bearer " + signed(header(kid=kid), claims()), ENDPOINT)
            assert len(asked) == asks

    def test_while_its_url_is_away_what_is_known_serves_for_a_day(self) -> None:
        answers = [httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})]
        asked: list[str] = []

        def jwks(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return answers.pop() if answers else httpx.Response(503)

        now = [0.0]
        door = self.door(jwks, clock=lambda: now[0])
        for later, asks in ((0, 1), (3500, 1), (3700, 2), (3710, 2), (23 * 3600, 3)):
            now[0] = later
            door.client("Bearer " + signed(header(), claims()), ENDPOINT)
            assert len(asked) == asks
        now[0] = 25 * 3600
        with pytest.raises(Unauthenticated, match="cannot be had"):
            door.client("Bearer " + signed(header(), claims()), ENDPOINT)

    def test_a_url_that_is_away_is_not_asked_for_every_call(self) -> None:
        asked: list[str] = []

        def jwks(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            raise httpx.ConnectError("away")

        door = self.door(jwks)
        for _ in range(3):
            with pytest.raises(Unauthenticated, match="cannot be had"):
                door.client("Bearer " + signed(header(), claims()), ENDPOINT)
        assert len(asked) == 1

    def test_a_slow_issuer_holds_up_nobody_else(self) -> None:
        slow, asked, go_on = "https://slow.example/jwks", threading.Event(), threading.Event()

        def jwks(request: httpx.Request) -> httpx.Response:
            if str(request.url) == slow:
                asked.set()
                assert go_on.wait(10)
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

        keys = IssuerKeys(httpx.Client(transport=httpx.MockTransport(jwks)))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(keys.of, None, slow, "k1")
            assert asked.wait(10)
            assert keys.of(None, self.URL, "k1")
            assert not waiting.done()
            go_on.set()
            assert waiting.result(10)

    def test_a_key_that_cannot_be_used_costs_the_others_nothing(self) -> None:
        """RFC 7517 §5: a set may hold keys that we do not understand."""
        odd = [
            {"kty": "new", "kid": "k0"},
            {"kty": "EC", "kid": "k1"},
            KEY.as_dict(private=False) | {"use": "enc"},
        ]
        good = KEY.as_dict(private=False)
        door = self.door(lambda request: httpx.Response(200, json={"keys": [*odd, good]}))
        door.client("Bearer " + signed(header(), claims()), ENDPOINT)

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(302, headers={"Location": "https://evil.example"}),
            httpx.Response(500),
            httpx.Response(200, text="no json"),
            httpx.Response(200, json=[]),
            httpx.Response(200, json={"keys": ["k1"]}),
            httpx.Response(200, json={"keys": [{"kid": "k1", "kty": "EC"}]}),
        ],
    )
    def test_a_bad_answer_is_a_refusal(self, answer: httpx.Response) -> None:
        with pytest.raises(Unauthenticated):
            self.door(lambda request: answer).client("Bearer " + signed(header(), claims()), ENDPOINT)
