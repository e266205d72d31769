"""Tampered launches, callbacks, id_tokens and token answers (SMART App Launch 2.2; RFC 9700).

What comes of each: a page of our own words, the reason in the audit trail, nobody signed in, and nothing sent to
where nothing may go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from flask import Response
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from cds.audit.trail import UNKNOWN_CALLER
from tests.attack.clinician import Clinician, Json, Query, configuration, token_answer, unsigned
from tests.attack.parties import Ehr, Trap
from tests.attack.service import KID, LEFT_OUT, OTHER_TENANT, TENANT, Service, b64
from tests.attack.test_addresses import SERVERS, host

pytestmark = pytest.mark.timeout(300)

MARK = "zz9"
"""In what an attacker sends, to be found in nothing that is shown or kept."""
MARKUP = f"<script>alert('{MARK}')</script>"
STRANGER = ECKey.generate_key("P-384", {"use": "sig", "kid": KID})
EVIL = f"https://{MARK}.example"


@pytest.fixture
def clinician(service: Service, ehr: Ehr) -> Clinician:
    return Clinician(service, ehr)


@pytest.fixture(autouse=True)
def well_meant(service: Service, ehr: Ehr) -> None:
    ehr.has("/fhir/.well-known/smart-configuration", configuration(ehr, ehr.fhir))
    ehr.has("/oauth/jwks", {"keys": [service.keys[KID].as_dict(private=False)]})


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in (statuses or (400, 403, 502)), (answer.status_code, answer.text)
    assert "Location" not in answer.headers
    assert not any("session" in cookie for cookie in answer.headers.get_list("Set-Cookie"))
    assert MARK not in answer.text
    assert MARK not in str(answer.headers)
    assert "What to do:" in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_the_same_without_tampering_is_let_in(clinician: Clinician) -> None:
    query = clinician.authorized()
    clinician.ehr.has("/oauth/token", token_answer(clinician.id_token()))
    answer = clinician.callback(**query)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/smart/")
    assert clinician.get("/smart/").status_code == 200


# Launches. An iss that is none of ours is an attacker's: nothing is sent to it, nor to anybody for it.

STRANGERS = {name: server for name, server in SERVERS.items() if name not in ("another issuer's", "nothing")}
LAUNCHES: dict[str, Callable[[Ehr, Trap], Query]] = {
    f"iss: {name}": lambda ehr, trap, server=server: [("iss", server(ehr, trap)), ("launch", "x")]
    for name, server in STRANGERS.items()
} | {
    "iss: markup": lambda ehr, trap: [("iss", MARKUP), ("launch", "x")],
    "iss: the listed one first": lambda ehr, trap: [("iss", ehr.fhir), ("iss", trap.base_url), ("launch", "x")],
    "iss: the listed one last": lambda ehr, trap: [("iss", trap.base_url), ("iss", ehr.fhir), ("launch", "x")],
    "iss: the listed one in it": lambda ehr, trap: [("iss", f"{trap.base_url}/?{ehr.fhir}"), ("launch", "x")],
    "iss: a longer host": lambda ehr, trap: [("iss", f"{ehr.base_url}.{MARK}.example/fhir"), ("launch", "x")],
    "iss: none": lambda ehr, trap: [("launch", "x")],
    "launch: none": lambda ehr, trap: [("iss", ehr.fhir)],
    "launch: two": lambda ehr, trap: [("iss", ehr.fhir), ("launch", "x"), ("launch", MARKUP)],
    "launch: without end": lambda ehr, trap: [("iss", ehr.fhir), ("launch", MARK * 1500)],
    "aud and redirect_uri of the attacker's": lambda ehr, trap: [
        ("iss", trap.base_url),
        ("aud", ehr.fhir),
        ("redirect_uri", trap.base_url),
        ("launch", "x"),
    ],
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_a_launch_that_is_not_one(name: str, clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    query = LAUNCHES[name](ehr, trap)
    tenant = TENANT if name.startswith("launch:") else UNKNOWN_CALLER
    with clinician.service.audited(tenant, "iss|launch"):
        assert_refused(clinician.get("/smart/launch", query), 400, 403)
    assert ehr.asked == []


@pytest.mark.parametrize("name", STRANGERS)
def test_a_standalone_launch_at_none_of_ours(name: str, clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    with clinician.service.audited_as_unknown("iss"):
        assert_refused(clinician.get("/smart/standalone", [("iss", STRANGERS[name](ehr, trap))]), 403)
    assert ehr.asked == []


def test_what_else_a_launch_says_goes_nowhere(clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    said = [(name, trap.base_url) for name in ("redirect_uri", "aud", "client_id", "state", "scope", "next")]
    answer = clinician.get("/smart/launch", [("iss", ehr.fhir), ("launch", "x"), *said])
    assert answer.headers["Location"].startswith(f"{ehr.base_url}/oauth/authorize?")
    assert host(trap) not in answer.headers["Location"]


# SMART configurations of a registered EHR that was taken over, or is only wrong.

CONFIGURATIONS: dict[str, Callable[[Ehr, Trap], Json]] = {
    "authorization elsewhere": lambda e, t: {"authorization_endpoint": f"{t.base_url}/authorize"},
    "authorization by a user name": lambda e, t: {"authorization_endpoint": f"http://{host(e)}@{host(t)}/a"},
    "authorization without a scheme": lambda e, t: {"authorization_endpoint": f"//{host(t)}/authorize"},
    "authorization by script": lambda e, t: {"authorization_endpoint": f"javascript:alert('{MARK}')"},
    "authorization with a fragment": lambda e, t: {"authorization_endpoint": f"{e.base_url}/authorize#{MARK}"},
    "no authorization": lambda e, t: {"authorization_endpoint": LEFT_OUT},
    "token elsewhere": lambda e, t: {"token_endpoint": f"{t.base_url}/token"},
    "token by a backslash": lambda e, t: {"token_endpoint": f"http://{host(e)}\\@{host(t)}/token"},
    "token in a list": lambda e, t: {"token_endpoint": [f"{e.base_url}/token"]},
    "PKCE plain alone": lambda e, t: {"code_challenge_methods_supported": ["plain"]},
    "no PKCE": lambda e, t: {"code_challenge_methods_supported": LEFT_OUT},
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_that_leads_elsewhere(name: str, clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    base = f"{ehr.base_url}/other"
    ehr.has("/other/.well-known/smart-configuration", configuration(ehr, base, **CONFIGURATIONS[name](ehr, trap)))
    with clinician.service.audited(OTHER_TENANT, "authorization|token|PKCE|address"):
        assert_refused(clinician.launch(base), 502)


def test_a_configuration_that_redirects(clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    ehr.has("/other/.well-known/smart-configuration", status=302, Location=f"{trap.base_url}/x")
    with clinician.service.audited(OTHER_TENANT, "redirect"):
        assert_refused(clinician.launch(f"{ehr.base_url}/other"), 502)


# Callbacks. None of these may bring the code, or our assertion, to the token endpoint.

Callback = Callable[[Clinician, dict[str, str]], httpx.Response]


def in_another_browser(clinician: Clinician, query: dict[str, str]) -> httpx.Response:
    other = Clinician(clinician.service, clinician.ehr)
    other.launch()
    return other.callback(**query)


def with_cookie(value: str) -> Callback:
    def callback(clinician: Clinician, query: dict[str, str]) -> httpx.Response:
        clinician.cookies = {"__Host-sightline-launch": value}
        return clinician.callback(**query)

    return callback


def twice(name: str) -> Callback:
    return lambda c, query: c.get("/smart/callback", [*query.items(), (name, MARKUP)])


def of_the_session(clinician: Clinician, query: dict[str, str]) -> httpx.Response:
    """The secret of one cookie under the name of the other."""
    clinician.cookies = {"__Host-sightline-session": clinician.cookies["__Host-sightline-launch"]}
    return clinician.callback(**query)


CALLBACKS: dict[str, tuple[Callback, str, str]] = {
    "no state": (lambda c, q: c.callback(code="x"), UNKNOWN_CALLER, "state"),
    "a guessed state": (lambda c, q: c.callback(**q | {"state": "A" * 43}), UNKNOWN_CALLER, "state"),
    "a state of markup": (lambda c, q: c.callback(**q | {"state": MARKUP}), UNKNOWN_CALLER, "state"),
    "a state that climbs": (lambda c, q: c.callback(**q | {"state": "../session/x"}), UNKNOWN_CALLER, "state"),
    "a state without end": (lambda c, q: c.callback(**q | {"state": MARK * 1500}), UNKNOWN_CALLER, "state"),
    "another browser's": (in_another_browser, TENANT, "another browser"),
    "no cookie": (lambda c, q: Clinician(c.service, c.ehr).callback(**q), TENANT, "no launch cookie"),
    "a made-up cookie": (with_cookie("A" * 43 + "." + "0" * 16), TENANT, "another browser"),
    "a cookie of markup": (with_cookie("<b>" + MARK), TENANT, "no launch cookie"),
    "the cookie of a session": (of_the_session, TENANT, "no launch cookie"),
    "another server's answer": (
        lambda c, q: c.callback(**q | {"iss": EVIL}),
        TENANT,
        "another authorization server",
    ),
    "no code": (lambda c, q: c.callback(**q | {"code": ""}), TENANT, "error"),
    "an error of markup": (lambda c, q: c.callback(state=q["state"], error=MARKUP), TENANT, "error"),
    "an error beside a code": (lambda c, q: c.callback(**q | {"error": "server_error"}), TENANT, "error"),
    "an error with a link": (
        lambda c, q: c.callback(state=q["state"], error="access_denied", error_uri=EVIL, error_description=MARKUP),
        TENANT,
        "access_denied",
    ),
    "two codes": (twice("code"), TENANT, "repeated"),
    "two states": (twice("state"), UNKNOWN_CALLER, "repeated"),
    "two servers": (twice("iss"), TENANT, "repeated"),
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_that_is_not_ours(name: str, clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    callback, tenant, reason = CALLBACKS[name]
    query = clinician.authorized()
    ehr.asked.clear()
    with clinician.service.audited(tenant, reason):
        assert_refused(callback(clinician, query), 400, 403)
    assert ehr.asked == []


def test_a_state_is_good_once(clinician: Clinician, ehr: Ehr) -> None:
    query = clinician.authorized()
    ehr.has("/oauth/token", token_answer(clinician.id_token()))
    assert clinician.callback(**query).status_code == 303
    ehr.asked.clear()
    with clinician.service.audited_as_unknown("state"):
        assert_refused(clinician.callback(**query), 400)
    assert ehr.asked == []


@pytest.mark.parametrize("name", ["next", "redirect", "redirect_uri", "return_to", "url", "continue", "target"])
def test_no_parameter_leads_away(name: str, clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    query = clinician.authorized()
    ehr.has("/oauth/token", token_answer(clinician.id_token()))
    assert clinician.callback(**query | {name: f"{trap.base_url}/x"}).headers["Location"] == "/smart/"


# id_tokens, from a token endpoint that is the registered one.


def hmac_signed(clinician: Clinician) -> str:
    public = clinician.service.keys[KID].as_pem(private=False).replace(b"-----", b"")
    header, claims = {"alg": "HS256", "kid": KID}, clinician.claims()
    return jws.serialize_compact(header, orjson.dumps(claims), OctKey.import_key(public), algorithms=["HS256"])


def with_header(c: Clinician, key: ECKey | None = None, **header: Any) -> str:
    return c.service.signed({"alg": "ES384", "kid": KID} | header, c.claims(), key)


def changed_after_signing(c: Clinician) -> str:
    head, _, signature = c.id_token().split(".")
    return f"{head}.{b64(c.claims(sub='admin'))}.{signature}"


def of_another_launch(c: Clinician) -> str:
    other = Clinician(c.service, c.ehr)
    other.authorized()
    return other.id_token()


ID_TOKENS: dict[str, Callable[[Clinician, Trap], str]] = {
    "alg none": lambda c, t: unsigned({"alg": "none"}, c.claims()),
    "no signature": lambda c, t: unsigned({"alg": "ES384", "kid": KID}, c.claims()),
    "claims changed": lambda c, t: changed_after_signing(c),
    "a stranger's key under our kid": lambda c, t: with_header(c, STRANGER),
    "a key in the header": lambda c, t: with_header(c, STRANGER, jwk=STRANGER.as_dict(private=False)),
    "a jku": lambda c, t: with_header(c, STRANGER, jku=f"{t.base_url}/jwks"),
    "an x5u": lambda c, t: with_header(c, STRANGER, x5u=f"{t.base_url}/certificate"),
    "an unknown kid": lambda c, t: with_header(c, STRANGER, kid=MARK),
    "a kid that is a path": lambda c, t: with_header(c, STRANGER, kid="../../../dev/null"),
    "HS256 with the public key": lambda c, t: hmac_signed(c),
    "a crit that is not understood": lambda c, t: with_header(c, crit=["x"], x=1),
    "no JWT": lambda c, t: MARKUP,
    "without end": lambda c, t: c.id_token(pad=MARK * 10_000),
    "another issuer": lambda c, t: c.id_token(iss=t.base_url),
    "no issuer": lambda c, t: c.id_token(iss=LEFT_OUT),
    "another app's": lambda c, t: c.id_token(aud="another-app"),
    "several apps'": lambda c, t: c.id_token(aud=["sightline", "another-app"]),
    "given to another": lambda c, t: c.id_token(azp="another-app"),
    "a guessed nonce": lambda c, t: c.id_token(nonce=MARK),
    "no nonce": lambda c, t: c.id_token(nonce=LEFT_OUT),
    "the nonce of another launch": lambda c, t: of_another_launch(c),
    "expired": lambda c, t: c.id_token(iat=1, exp=2),
    "without end of life": lambda c, t: c.id_token(exp=LEFT_OUT),
    "from the future": lambda c, t: c.id_token(iat=2**33, exp=2**33 + 60),
    "nobody": lambda c, t: c.id_token(sub=LEFT_OUT),
    "an object for a subject": lambda c, t: c.id_token(sub={"id": MARK}),
}


@pytest.mark.parametrize("name", ID_TOKENS)
def test_an_id_token_that_does_not_hold(name: str, clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    query = clinician.authorized()
    ehr.has("/oauth/token", token_answer(ID_TOKENS[name](clinician, trap)))
    with clinician.service.audited(TENANT, "id_token|signed in"):
        assert_refused(clinician.callback(**query), 403)
    assert clinician.get("/smart/").status_code == 401


def test_a_user_of_another_server_is_nobodys_record(clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    """It is not read: who is signed in is told by issuer and subject."""
    query = clinician.authorized()
    fhir_user = f"{trap.base_url}/Practitioner/u1"
    ehr.has("/oauth/token", token_answer(clinician.id_token(fhirUser=fhir_user)))
    assert clinician.callback(**query).status_code == 303
    assert clinician.get("/smart/").status_code == 200


# Token answers.

TOKEN_ANSWERS: dict[str, Callable[[Clinician, Trap], Response | Json]] = {
    "a redirect": lambda c, t: Response(status=307, headers={"Location": f"{t.base_url}/token"}),
    "a refusal of markup": lambda c, t: Response(f'{{"error": "{MARK}", "error_description": "{MARK}"}}', 400),
    "a page": lambda c, t: Response(MARKUP, mimetype="text/html"),
    "a list": lambda c, t: Response("[]", mimetype="application/json"),
    "without end": lambda c, t: Response(b" " * 2**20, mimetype="application/json"),
    "an error": lambda c, t: Response(MARKUP, 500),
    "no access token": lambda c, t: token_answer(c.id_token(), access_token=LEFT_OUT),
    "an access token of another kind": lambda c, t: token_answer(c.id_token(), access_token={"a": MARK}),
    "another token type": lambda c, t: token_answer(c.id_token(), token_type="mac"),
    "no id_token": lambda c, t: token_answer(c.id_token(), id_token=LEFT_OUT),
    "no patient": lambda c, t: token_answer(c.id_token(), patient=LEFT_OUT),
    "a patient elsewhere": lambda c, t: token_answer(c.id_token(), patient=f"{t.base_url}/Patient/p1"),
    "a patient that climbs": lambda c, t: token_answer(c.id_token(), patient="../Patient/p2"),
    "a patient of markup": lambda c, t: token_answer(c.id_token(), patient=MARKUP),
    "two patients": lambda c, t: token_answer(c.id_token(), patient=["p1", "p2"]),
}


@pytest.mark.parametrize("name", TOKEN_ANSWERS)
def test_a_token_answer_that_signs_nobody_in(name: str, clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    query = clinician.authorized()
    answer = TOKEN_ANSWERS[name](clinician, trap)
    if isinstance(answer, Response):
        ehr.answers["/oauth/token"] = answer
    else:
        ehr.has("/oauth/token", answer)
    with clinician.service.audited(TENANT, "token|signed in|patient|body"):
        assert_refused(clinician.callback(**query))
    assert clinician.get("/smart/").status_code == 401


def test_a_token_with_a_line_break_adds_no_header(clinician: Clinician, ehr: Ehr, trap: Trap) -> None:
    query = clinician.authorized()
    ehr.has("/oauth/token", token_answer(clinician.id_token(), access_token=f"x\r\nX-{MARK}: 1"))
    clinician.callback(**query)
    ehr.asked.clear()
    page = clinician.get("/smart/")
    assert page.status_code < 500 or page.status_code == 502
    assert ehr.asked == []
