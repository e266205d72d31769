"""Launch, discovery and authorization request (SMART App Launch 2.2, app-launch.html)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from secrets import randbits
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cds.smart import SmartServices
from cds.store.rate_limit import FAILURES_PER_MINUTE
from cds.store.valkey import Valkey
from tests.smart.conftest import AUTHORIZE, BASE, US, Browser, Ehr, serving


def asked(location: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}


def test_the_browser_is_sent_on_with_the_whole_authorization_request(browser: Browser) -> None:
    response = browser.launch(launch="opaque handle")
    assert response.status_code == 303
    location = response.headers["Location"]
    assert location.startswith(f"{AUTHORIZE}?")
    request = asked(location)
    assert {name: request.pop(name) for name in ("state", "nonce", "code_challenge")}.keys()
    assert request == {
        "response_type": "code",
        "client_id": "sightline",
        "redirect_uri": f"{US}/smart/callback",
        "launch": "opaque handle",
        "aud": BASE,
        "code_challenge_method": "S256",
        "scope": "launch openid fhirUser patient/Patient.r patient/ImagingStudy.rs "
        "patient/DocumentReference.rs patient/Binary.r patient/DiagnosticReport.rs "
        "user/Patient.rs user/DiagnosticReport.u",
    }


def test_state_nonce_and_challenge_are_new_each_time_and_cannot_be_guessed(browser: Browser) -> None:
    requests = [asked(browser.launch().headers["Location"]) for _ in range(5)]
    for name in ("state", "nonce", "code_challenge"):
        values = {request[name] for request in requests}
        assert len(values) == 5
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", value) for value in values)  # 256 bits


def test_an_authorization_endpoint_with_a_query_keeps_it(browser: Browser, ehr: Ehr) -> None:
    ehr.configuration["authorization_endpoint"] = f"{AUTHORIZE}?tenant=7"
    request = asked(browser.launch().headers["Location"])
    assert request["tenant"] == "7"
    assert request["client_id"] == "sightline"


def test_a_relative_endpoint_is_of_the_fhir_base(browser: Browser, ehr: Ehr) -> None:
    ehr.configuration["authorization_endpoint"] = "auth/authorize"
    assert browser.launch().headers["Location"].startswith(f"{BASE}/auth/authorize?")


def test_one_trailing_slash_is_the_same_fhir_base(browser: Browser) -> None:
    assert browser.launch(iss=f"{BASE}/").status_code == 303


def test_the_cookie_is_for_an_iframe_of_another_site(browser: Browser) -> None:
    (cookie,) = browser.launch().headers.getlist("Set-Cookie")
    name, _, rest = cookie.partition("=")
    assert name == "__Host-sightline-launch"
    assert {"Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"} <= set(rest.split("; "))
    assert "Domain" not in cookie


def test_nothing_that_must_stay_here_goes_to_the_browser(browser: Browser, ehr: Ehr) -> None:
    response = browser.launch()
    browser.callback(ehr.authorize(response.headers["Location"]))
    sent = str(response.headers)
    assert "code_verifier" not in sent
    assert ehr.asked["state"] not in "".join(response.headers.getlist("Set-Cookie"))


ISSUERS = {
    "another host": "https://evil.example/fhir",
    "a registered host with another path": "https://ehr.example/other",
    "a path below": f"{BASE}/evil",
    "http": BASE.replace("https", "http"),
    "another port": "https://ehr.example:8443/fhir",
    "a user name": "https://ehr.example@evil.example/fhir",
    "a longer host": "https://ehr.example.evil.example/fhir",
    "a query": f"{BASE}?x=1",
    "a fragment": f"{BASE}#x",
    "many slashes": f"{BASE}///",
    "a climb": f"{BASE}/../fhir",
    "capitals": BASE.upper(),
    "a blank": f" {BASE}",
    "a line break": f"{BASE}\r\nX: y",
    "a link-local address": "http://169.254.169.254/latest",
    "a file": "file:///etc/passwd",
    "no URL": "fhir",
    "nothing": "",
    "too long": f"{BASE}/{'x' * 5000}",
}


@pytest.mark.parametrize("iss", ISSUERS.values(), ids=ISSUERS.keys())
def test_an_iss_that_is_not_registered_ends_before_any_call(iss: str, browser: Browser, ehr: Ehr) -> None:
    response = browser.launch(iss=iss)
    assert response.status_code in (400, 403)
    assert ehr.called == []
    assert "Location" not in response.headers
    assert "Set-Cookie" not in response.headers
    assert "evil" not in response.text
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_a_stranger_is_in_a_chain_of_its_own_and_not_without_end(
    services: SmartServices, events: list[tuple[str, Mapping[str, Any]]]
) -> None:
    limited = replace(services, settings=replace(services.settings, hook_rate_per_minute=6000))
    client = serving(limited).test_client()
    address = {"REMOTE_ADDR": str(ip_address(randbits(128)))}
    for _ in range(FAILURES_PER_MINUTE + 5):
        page = client.get("/smart/launch?iss=https://evil.example/fhir&launch=x", environ_overrides=address)
        assert page.status_code == 403
    assert {tenant for tenant, _ in events} == {"unknown"}
    assert len(events) == FAILURES_PER_MINUTE + 1
    assert "evil" not in str(events)


@pytest.mark.parametrize(
    "query",
    [
        [("iss", BASE), ("iss", "https://evil.example"), ("launch", "x")],
        [("iss", BASE), ("launch", "x"), ("launch", "y")],
        [("iss", BASE), ("launch", "x" * 5000)],
        [("iss", BASE), ("launch", "")],
        [("iss", BASE)],
        [("launch", "x")],
        [],
    ],
)
def test_a_launch_that_is_not_one_ends_before_any_call(query: Any, browser: Browser, ehr: Ehr) -> None:
    assert browser.get("/smart/launch", query).status_code in (400, 403)
    assert ehr.called == []


ENDPOINTS = {
    "another host": "https://evil.example/authorize",
    "a host that only begins so": "https://auth.ehr.example.evil.example/authorize",
    "without TLS": "http://auth.ehr.example/authorize",
    "another port": "https://auth.ehr.example:444/authorize",
    "a user name": "https://auth.ehr.example@evil.example/authorize",
    "another scheme": "javascript:alert(1)",
    "without a scheme": "//evil.example/authorize",
    "a broken address": "https://[::1",
    "a broken port": "https://auth.ehr.example:x/authorize",
    "a control character": "https://auth.ehr.example/\x01",
    "a backslash": "https://auth.ehr.example\\@evil.example/",
    "a fragment (RFC 6749, 3.1)": "https://auth.ehr.example/authorize#evil",
    "without end": "https://auth.ehr.example/" + "a" * 70_000,
    "none": None,
    "no string": ["https://auth.ehr.example/authorize"],
}


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS.keys())
def test_the_browser_is_not_sent_to_an_endpoint_elsewhere(endpoint: Any, browser: Browser, ehr: Ehr) -> None:
    ehr.configuration["authorization_endpoint"] = endpoint
    response = browser.launch()
    assert response.status_code == 502
    assert "Location" not in response.headers
    assert "evil" not in response.text


@pytest.mark.parametrize("methods", [None, [], ["plain"], "S256", [["S256"]]])
def test_a_server_that_does_not_do_s256_is_not_used(methods: Any, browser: Browser, ehr: Ehr) -> None:
    ehr.configuration["code_challenge_methods_supported"] = methods
    assert browser.launch().status_code == 502


DISCOVERIES = {
    "a redirect": httpx.Response(302, headers={"Location": "https://evil.example/"}),
    "missing": httpx.Response(404),
    "an error": httpx.Response(500, text="<script>alert(1)</script>"),
    "no JSON": httpx.Response(200, text="hello"),
    "no object": httpx.Response(200, json=[]),
    "huge": httpx.Response(200, content=b" " * 2**20),
}


@pytest.mark.parametrize("answer", DISCOVERIES.values(), ids=DISCOVERIES.keys())
def test_a_bad_discovery_document_is_a_page(answer: httpx.Response, browser: Browser, ehr: Ehr) -> None:
    ehr.answers[f"{BASE}/.well-known/smart-configuration"] = lambda request: answer
    response = browser.launch()
    assert response.status_code == 502
    assert "A system did not answer" in response.text
    assert "<script" not in response.text


def test_what_an_ehr_can_do_is_asked_once(browser: Browser, ehr: Ehr) -> None:
    for _ in range(3):
        assert browser.launch().status_code == 303
    assert ehr.called == [f"{BASE}/.well-known/smart-configuration"]


def test_it_is_asked_again_where_it_was_of_no_use(browser: Browser, ehr: Ehr) -> None:
    ehr.configuration["authorization_endpoint"] = "https://evil.example/authorize"
    assert browser.launch().status_code == 502
    ehr.configuration["authorization_endpoint"] = AUTHORIZE
    assert browser.launch().status_code == 303


def test_an_ehr_that_is_down_is_a_page(browser: Browser, ehr: Ehr) -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    ehr.answers[f"{BASE}/.well-known/smart-configuration"] = down
    assert browser.launch().status_code == 502


def test_a_state_that_cannot_be_kept_is_a_page(services: SmartServices, ehr: Ehr) -> None:
    away = serving(replace(services, valkey=Valkey("redis://127.0.0.1:1")))
    response = Browser(away.test_client()).launch()
    assert response.status_code == 502
    assert "Location" not in response.headers
