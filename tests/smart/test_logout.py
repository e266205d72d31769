"""Logging out: the session ends here, its tokens at the EHR (RFC 7009), and nobody else can do it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from werkzeug.test import TestResponse

from tests.smart.conftest import US, Browser, Ehr

SignIn = Callable[[], TestResponse]
Events = list[tuple[str, Mapping[str, Any]]]
REVOKE = "https://auth.ehr.example/revoke"


@pytest.fixture
def revoked(ehr: Ehr) -> list[dict[str, str]]:
    """The forms that came to the revocation endpoint."""
    forms: list[dict[str, str]] = []

    def revoke(request: httpx.Request) -> httpx.Response:
        forms.append({name: value for name, (value,) in parse_qs(request.content.decode()).items()})
        return httpx.Response(200)

    ehr.configuration["revocation_endpoint"] = REVOKE
    ehr.answers[REVOKE] = revoke
    return forms


def log_out(browser: Browser, **form: str) -> TestResponse:
    return browser.client.post("/smart/logout", data=form, base_url=US)


def token_of(page: TestResponse) -> str:
    (found,) = set(re.findall(r'name="csrf" value="([0-9a-f]{64})"', page.text))
    return str(found)


def test_the_session_ends_and_its_token_is_revoked(
    sign_in: SignIn, browser: Browser, revoked: list[dict[str, str]], events: Events
) -> None:
    sign_in()
    response = log_out(browser, csrf=token_of(browser.get("/smart/")))
    assert response.status_code == 200
    assert "You are logged out" in response.text
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert browser.get("/smart/").status_code == 401
    (form,) = revoked
    assert form["token"] == "secret-token"
    assert "client_assertion" in form
    assert events[-1][1]["subtype"][0]["code"] == "110123"


def test_with_a_refresh_token_all_that_came_of_it_is_revoked(
    sign_in: SignIn, browser: Browser, ehr: Ehr, revoked: list[dict[str, str]]
) -> None:
    ehr.context |= {"refresh_token": "refresh-0"}
    sign_in()
    log_out(browser, csrf=token_of(browser.get("/smart/")))
    assert [form["token"] for form in revoked] == ["refresh-0"]


def test_a_copy_of_the_cookie_opens_nothing_any_more(
    sign_in: SignIn, browser: Browser, other_browser: Browser
) -> None:
    sign_in()
    cookie = browser.client.get_cookie("__Host-sightline-session", "cds.example")
    assert cookie
    log_out(browser, csrf=token_of(browser.get("/smart/")))
    other_browser.client.set_cookie("__Host-sightline-session", cookie.value, domain="cds.example", secure=True)
    assert other_browser.get("/smart/").status_code == 401


@pytest.mark.parametrize("status", [404, 500, 302])
def test_an_ehr_that_cannot_revoke_does_not_keep_anyone_signed_in(
    status: int, sign_in: SignIn, browser: Browser, ehr: Ehr, revoked: list[dict[str, str]]
) -> None:
    sign_in()
    ehr.answers[REVOKE] = lambda request: httpx.Response(status, headers={"Location": "https://evil.example"})
    assert log_out(browser, csrf=token_of(browser.get("/smart/"))).status_code == 200
    assert browser.get("/smart/").status_code == 401


def test_a_revocation_endpoint_elsewhere_gets_nothing(sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    ehr.configuration["revocation_endpoint"] = "https://evil.example/revoke"
    sign_in()
    assert log_out(browser, csrf=token_of(browser.get("/smart/"))).status_code == 200


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "0" * 64}])
def test_a_form_of_another_site_logs_nobody_out(form: dict[str, str], sign_in: SignIn, browser: Browser) -> None:
    sign_in()
    response = log_out(browser, **form)
    assert response.status_code == 403
    assert "Nothing was changed" in response.text
    assert browser.get("/smart/").status_code == 200


def test_the_token_of_another_session_does_not_hold(
    sign_in: SignIn, browser: Browser, other_browser: Browser, ehr: Ehr
) -> None:
    sign_in()
    other_browser.callback(ehr.authorize(other_browser.launch().headers["Location"]))
    theirs = token_of(other_browser.get("/smart/"))
    assert log_out(browser, csrf=theirs).status_code == 403


def test_a_link_logs_nobody_out(sign_in: SignIn, browser: Browser) -> None:
    sign_in()
    assert browser.get("/smart/logout").status_code == 405
    assert browser.get("/smart/").status_code == 200


def test_without_a_session_there_is_nothing_to_end(browser: Browser) -> None:
    assert log_out(browser, csrf="0" * 64).status_code == 401
