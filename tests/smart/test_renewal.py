"""Refresh (SMART App Launch 2.2, "Refresh access token"; RFC 6749, 6 and 10.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from cds.smart import SmartServices
from cds.smart.refusals import SessionExpired
from cds.smart.renewal import Renewal
from cds.smart.session import Session, Sessions
from tests.smart.conftest import BASE, TOKEN, Browser, Ehr

SignIn = Callable[[], TestResponse]
Events = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture
def open_page(sign_in: SignIn, browser: Browser, ehr: Ehr) -> Callable[[], TestResponse]:
    """Signed in with a refresh token and an access token that has all but ended."""
    ehr.context |= {"refresh_token": "refresh-0", "expires_in": 10}
    sign_in()
    return lambda: browser.get("/smart/")


def test_a_token_that_ends_is_renewed_before_it_is_used(
    open_page: Callable[[], TestResponse], ehr: Ehr, events: Events
) -> None:
    assert "Okafor" in open_page().text
    assert "Okafor" in open_page().text
    assert ehr.shown == ["refresh-0"]
    parameters = [e for _, e in events if e["subtype"][0]["code"] == "ITI-71"]
    assert len(parameters) == 2


def test_a_refresh_token_is_used_once_and_replaced(open_page: Callable[[], TestResponse], ehr: Ehr) -> None:
    ehr.renewal = {"expires_in": 10}
    for _ in range(3):
        assert open_page().status_code == 200
    assert ehr.shown == ["refresh-0", "refresh-1", "refresh-2"]


def test_one_that_is_not_replaced_serves_again(open_page: Callable[[], TestResponse], ehr: Ehr) -> None:
    ehr.renewal = {"expires_in": 10, "refresh_token": None}
    assert open_page().status_code == 200
    ehr.refresh_token = "refresh-0"
    assert open_page().status_code == 200
    assert ehr.shown == ["refresh-0", "refresh-0"]


def test_no_pkce_and_no_client_id_are_sent_with_it(open_page: Callable[[], TestResponse], ehr: Ehr) -> None:
    forms: list[str] = []

    def token(request: httpx.Request) -> httpx.Response:
        forms.append(request.content.decode())
        return ehr.token(request)

    ehr.answers[TOKEN] = token
    open_page()
    (form,) = forms
    assert "client_assertion=" in form
    assert not any(name in form for name in ("code_verifier", "client_id", "redirect_uri"))


def test_where_the_token_is_refused_it_is_renewed_once(sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    ehr.context |= {"refresh_token": "refresh-0"}
    sign_in()
    ehr.access_token = "revoked meanwhile"
    assert "Okafor" in browser.get("/smart/").text
    assert ehr.shown == ["refresh-0"]


def test_without_a_refresh_token_it_is_a_new_launch(sign_in: SignIn, browser: Browser, ehr: Ehr) -> None:
    sign_in()
    ehr.access_token = "revoked meanwhile"
    assert browser.get("/smart/").status_code == 401
    assert ehr.shown == []


@pytest.mark.parametrize("status", [400, 401, 403])
def test_what_is_not_renewed_ends_the_session(
    status: int, open_page: Callable[[], TestResponse], ehr: Ehr
) -> None:
    ehr.answers[TOKEN] = lambda request: httpx.Response(status, json={"error": "invalid_grant"})
    page = open_page()
    assert page.status_code == 401
    assert "Your session has ended" in page.text
    ehr.answers[TOKEN] = ehr.token
    assert open_page().status_code == 401
    assert ehr.shown == []


def test_while_the_ehr_is_away_the_session_stays(open_page: Callable[[], TestResponse], ehr: Ehr) -> None:
    ehr.answers[TOKEN] = lambda request: httpx.Response(503)
    assert open_page().status_code == 502
    ehr.answers[TOKEN] = ehr.token
    assert open_page().status_code == 200


def test_a_token_for_another_patient_ends_the_session(open_page: Callable[[], TestResponse], ehr: Ehr) -> None:
    ehr.renewal = {"patient": "p2"}
    page = open_page()
    assert page.status_code == 403
    assert "Another patient is open in your EHR" in page.text
    assert open_page().status_code == 401


def test_what_is_granted_less_is_shown_less(open_page: Callable[[], TestResponse], ehr: Ehr) -> None:
    ehr.renewal = {"scope": "launch openid"}
    assert "Okafor" not in open_page().text


def test_of_many_requests_at_once_one_renews(
    open_page: Callable[[], TestResponse], browser: Browser, services: SmartServices, ehr: Ehr
) -> None:
    cookie = browser.client.get_cookie("__Host-sightline-session", "cds.example")
    assert cookie
    secret = cookie.value.partition(".")[0]
    ours = services.registrations.by_fhir_server(BASE)
    assert ours
    # Two processes, each with four threads, all of which have read the session before it is renewed.
    processes = [Renewal(services, Sessions(services.valkey, services.keys.session)) for _ in range(2)]
    session = Sessions(services.valkey, services.keys.session).get(secret)
    with ThreadPoolExecutor(8) as pool:
        renewed = list(pool.map(lambda n: processes[n % 2].fresh(secret, session, ours), range(8)))
    assert {one.access_token for one in renewed} == {"access-1"}
    assert ehr.shown == ["refresh-0"]


def test_a_request_that_read_the_session_before_does_not_undo_it(services: SmartServices) -> None:
    sessions = Sessions(services.valkey, services.keys.session)
    old = Session(BASE, "p1", "i", "s", "", "", access_token="a", expires=2e9, ends=2e9, refresh_token="r")
    secret = sessions.begin(old)
    sessions.keep(secret, new := Session(BASE, "p1", "i", "s", "", "", access_token="b", expires=2e9, ends=2e9))
    assert sessions.get(secret) == new
    assert sessions.get(secret) == new
    sessions.end(secret)
    with pytest.raises(SessionExpired):
        sessions.get(secret)
