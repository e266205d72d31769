"""Callback and token request (SMART App Launch 2.2, "Obtain access token"; RFC 6749, 4.1.2, 5 and 10.12)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from cds.smart import SmartServices
from cds.smart.session import Sealed, Sessions
from tests.smart.conftest import BASE, JWKS, TOKEN, Browser, Ehr

SignIn = Callable[[], TestResponse]
Events = list[tuple[str, Mapping[str, Any]]]


def title(response: TestResponse) -> str:
    return response.text.partition("<h1>")[2].partition("</h1>")[0]


def test_a_whole_launch_ends_at_the_patients_page(sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    response = sign_in()
    assert response.status_code == 303
    assert response.headers["Location"] == "/smart/"
    assert ehr.called == [f"{BASE}/.well-known/smart-configuration", TOKEN, JWKS]
    assert browser.get("/smart/").status_code == 200


def test_the_session_has_a_secret_of_its_own(sign_in: SignIn, browser: Browser) -> None:
    (session,) = sign_in().headers.getlist("Set-Cookie")
    assert session.startswith("__Host-sightline-session=")
    assert {"Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"} <= set(session.split("; "))
    launch = browser.client.get_cookie("__Host-sightline-launch", "cds.example")
    assert launch
    assert launch.value.partition(".")[0] not in session


def test_no_token_reaches_the_browser(sign_in: SignIn, browser: Browser) -> None:
    response = sign_in()
    page = browser.get("/smart/")
    for sent in (str(response.headers), response.text, str(page.headers), page.text):
        assert "secret-token" not in sent
        assert "a-code" not in sent


def test_the_assertion_is_fresh_each_time(sign_in: SignIn, ehr: Ehr) -> None:
    sign_in()
    sign_in()
    first, second = ehr.assertions
    assert first["jti"] != second["jti"]
    assert first["iss"] == first["sub"] == "sightline"
    assert first["aud"] == TOKEN
    assert 0 < first["exp"] - time.time() <= 300


def test_the_login_is_in_the_audit_trail(sign_in: SignIn, events: Events) -> None:
    sign_in()
    (tenant, event), *rest = events
    assert (tenant, rest) == ("general", [])
    assert event["subtype"][0]["code"] == "ITI-71"
    assert event["agent"][2]["who"]["identifier"] == {"system": BASE, "value": "u1"}


class TestState:
    def test_it_is_used_once(self, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        assert browser.callback(answer).status_code == 303
        called = len(ehr.called)
        again = browser.callback(answer)
        assert (again.status_code, title(again)) == (400, "This sign-in is over")
        assert len(ehr.called) == called

    def test_it_is_spent_by_an_error_too(self, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        browser.callback({"state": answer["state"], "error": "access_denied"})
        assert title(browser.callback(answer)) == "This sign-in is over"

    def test_another_browser_cannot_finish_it(self, browser: Browser, other_browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        other_browser.launch()
        called = len(ehr.called)
        assert title(other_browser.callback(answer)) == "This sign-in is over"
        assert len(ehr.called) == called

    def test_a_browser_that_keeps_no_cookies_is_told_what_to_do(
        self, browser: Browser, other_browser: Browser, ehr: Ehr
    ) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        response = other_browser.callback(answer)
        assert title(response) == "Your browser did not keep our cookie"
        assert "Location" not in response.headers  # no loop
        assert "frame-ancestors https://ehr.example" in response.headers["Content-Security-Policy"]

    def test_two_launches_at_once_both_arrive(self, browser: Browser, ehr: Ehr) -> None:
        first, second = (browser.launch().headers["Location"] for _ in range(2))
        for location in (second, first):
            assert browser.callback(ehr.authorize(location)).status_code == 303

    @pytest.mark.parametrize(
        "state", ["", "guessed", "x" * 5000, "../../x", "smart:launch:x", "\r\nSet-Cookie: a"]
    )
    def test_a_state_that_is_not_ours_is_refused_before_any_call(
        self, state: str, browser: Browser, ehr: Ehr
    ) -> None:
        browser.launch()
        ehr.called.clear()
        assert browser.callback({"state": state, "code": "a-code"}).status_code == 400
        assert ehr.called == []

    def test_one_of_another_version_of_ours_is_over(self, services: SmartServices, browser: Browser) -> None:
        browser.launch()
        Sealed(services.valkey, services.keys.session, "launch").put("state", {"fhir_server": BASE}, 60)
        assert title(browser.callback({"state": "state", "code": "a-code"})) == "This sign-in is over"


class TestAnswersOfTheAuthorizationServer:
    @pytest.mark.parametrize(
        ("error", "page"),
        [
            ("access_denied", "Access was not granted"),
            ("server_error", "Your EHR did not let Sightline in"),
            ("invalid_scope", "Your EHR did not let Sightline in"),
            ("<script>alert(1)</script>", "Your EHR did not let Sightline in"),
        ],
    )
    def test_an_error_is_a_page_of_our_own_words(self, error: str, page: str, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        ehr.called.clear()
        words = {"error_description": "<b>call 555</b>", "error_uri": "https://evil.example"}
        response = browser.callback({"state": answer["state"], "error": error, **words})
        assert (response.status_code, title(response)) == (403, page)
        assert not any(said in response.text for said in ("555", "evil", "<script", "server_error"))
        assert ehr.called == []

    def test_an_error_beside_a_code_is_still_an_error(self, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        assert browser.callback(answer | {"error": "server_error"}).status_code == 403

    def test_no_code_is_an_error(self, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        assert browser.callback({"state": answer["state"]}).status_code == 403

    def test_another_server_cannot_answer(self, browser: Browser, ehr: Ehr) -> None:
        """RFC 9207, 2.4."""
        answer = ehr.authorize(browser.launch().headers["Location"])
        ehr.called.clear()
        assert browser.callback(answer | {"iss": "https://evil.example"}).status_code == 403
        assert ehr.called == []

    def test_a_server_need_not_say_who_it_is(self, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        del answer["iss"]
        assert browser.callback(answer).status_code == 303

    @pytest.mark.parametrize("name", ["code", "error", "iss"])
    def test_a_parameter_stands_once(self, name: str, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        ehr.called.clear()
        twice = [*answer.items(), (name, "x"), (name, "y")]
        assert browser.callback(twice).status_code == 400
        assert ehr.called == []

    @pytest.mark.parametrize("name", ["redirect", "next", "redirect_uri", "return_to", "url"])
    def test_no_parameter_redirects_elsewhere(self, name: str, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        response = browser.callback(answer | {name: "https://evil.example"})
        assert response.headers["Location"] == "/smart/"

    def test_the_token_endpoint_is_that_of_the_launch(self, browser: Browser, ehr: Ehr) -> None:
        answer = ehr.authorize(browser.launch().headers["Location"])
        ehr.configuration["token_endpoint"] = "https://auth.ehr.example/swapped"
        assert browser.callback(answer).status_code == 303

    @pytest.mark.parametrize(
        "endpoint",
        ["https://evil.example/token", "http://auth.ehr.example/token", "https://[::1", f"{TOKEN}#x", None, 5],
    )
    def test_where_a_token_endpoint_is_elsewhere_nobody_is_asked_for_a_code(
        self, endpoint: Any, browser: Browser, ehr: Ehr
    ) -> None:
        ehr.configuration["token_endpoint"] = endpoint
        assert browser.launch().status_code == 502


TOKEN_ANSWERS = {
    "invalid_grant": httpx.Response(400, json={"error": "invalid_grant", "error_description": "<b>no</b>"}),
    "invalid_client": httpx.Response(401, json={"error": "invalid_client"}),
    "forbidden": httpx.Response(403, text="<script>alert(1)</script>"),
    "a redirect": httpx.Response(307, headers={"Location": "https://evil.example/token"}),
    "an error": httpx.Response(500),
    "no JSON": httpx.Response(200, text="access_token=x"),
    "no object": httpx.Response(200, json=["secret-token"]),
    "nothing": httpx.Response(200, json={}),
    "huge": httpx.Response(200, content=b" " * 2**20),
}


@pytest.mark.parametrize("answer", TOKEN_ANSWERS.values(), ids=TOKEN_ANSWERS.keys())
def test_a_token_that_is_refused_is_a_page(
    answer: httpx.Response, sign_in: SignIn, browser: Browser, ehr: Ehr
) -> None:
    ehr.answers[TOKEN] = lambda request: answer
    response = sign_in()
    assert response.status_code in (403, 502)
    assert "<b>" not in response.text
    assert "<script" not in response.text
    assert not any("session" in c for c in response.headers.getlist("Set-Cookie"))
    assert browser.get("/smart/").status_code == 401


CONTEXTS: dict[str, dict[str, Any]] = {
    "no access token": {"access_token": None},
    "an empty access token": {"access_token": ""},
    "an access token that is no string": {"access_token": 5},
    "another token type": {"token_type": "mac"},
    "no token type": {"token_type": None},
    "no id_token": {"id_token": None},
    "an id_token that is no string": {"id_token": {"sub": "u1"}},
    "no patient": {"patient": None},
    "a patient that is no id": {"patient": "../Patient/p2"},
    "a patient that is no string": {"patient": ["p1"]},
    "a patient that is markup": {"patient": "<script>"},
    "a patient by URL": {"patient": "https://evil.example/Patient/p1"},
}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS.keys())
def test_a_token_answer_that_does_not_hold_signs_nobody_in(
    context: dict[str, Any], sign_in: SignIn, browser: Browser, ehr: Ehr
) -> None:
    ehr.context |= context
    assert sign_in().status_code in (400, 403, 502)
    assert browser.get("/smart/").status_code == 401


def test_a_refusal_is_in_the_audit_trail_without_what_was_sent(browser: Browser, ehr: Ehr, events: Events) -> None:
    answer = ehr.authorize(browser.launch().headers["Location"])
    browser.callback({"state": answer["state"], "error": "no <b>way</b>"})
    ((tenant, event),) = events
    assert tenant == "general"
    assert event["outcome"] == "4"
    assert "way" not in str(event)
    assert answer["state"] not in str(event)


@pytest.mark.parametrize(
    ("expires_in", "ends"), [(None, 3600), (60, 60), (86400, 3600), ("60", 3600), (True, 3600)]
)
def test_a_session_lives_no_longer_than_its_token(
    expires_in: Any, ends: float, sign_in: SignIn, browser: Browser, ehr: Ehr, services: SmartServices
) -> None:
    ehr.context["expires_in"] = expires_in
    sign_in()
    cookie = browser.client.get_cookie("__Host-sightline-session", "cds.example")
    assert cookie
    session = Sessions(services.valkey, services.keys.session).get(cookie.value.partition(".")[0])
    assert session.expires == pytest.approx(time.time() + ends, abs=5)


def test_a_new_launch_ends_the_session_before(sign_in: SignIn, browser: Browser) -> None:
    sign_in()
    cookie = browser.client.get_cookie("__Host-sightline-session", "cds.example")
    assert cookie
    sign_in()
    browser.client.set_cookie("__Host-sightline-session", cookie.value, domain="cds.example", secure=True)
    assert browser.get("/smart/").status_code == 401
