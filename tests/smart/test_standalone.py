"""Standalone launch (SMART App Launch 2.2, app-launch.html, "Launch App: Standalone Launch")."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from cds.registration import Registrations
from cds.smart import SmartServices
from tests.smart.conftest import BASE, Browser, Ehr, registration, serving

OTHER = "https://other.example/fhir"


@pytest.fixture
def browser(services: SmartServices) -> Browser:
    """Of a service that knows two EHRs; one of them lets itself be asked."""
    known = [
        registration(standalone=True, name="General <Hospital>"),
        registration(issuer=OTHER, fhirServers=[OTHER], name="Other Hospital"),
    ]
    return Browser(serving(replace(services, registrations=Registrations(known))).test_client())


def test_only_those_that_allow_it_are_offered(browser: Browser, ehr: Ehr) -> None:
    page = browser.get("/smart/standalone")
    assert page.status_code == 200
    assert "General &lt;Hospital&gt;" in page.text
    assert "Other Hospital" not in page.text
    assert ehr.called == []


def test_the_one_that_is_chosen_is_asked_for_a_patient_and_not_for_a_launch(browser: Browser) -> None:
    location = browser.get("/smart/standalone", {"iss": BASE}).headers["Location"]
    request = {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}
    assert "launch" not in request
    assert request["aud"] == BASE
    assert request["scope"].split()[:3] == ["launch/patient", "openid", "fhirUser"]
    assert {"state", "nonce", "code_challenge"} <= set(request)


def test_it_ends_at_the_patients_page(browser: Browser, ehr: Ehr) -> None:
    location = browser.get("/smart/standalone", {"iss": BASE}).headers["Location"]
    assert browser.callback(ehr.authorize(location)).headers["Location"] == "/smart/"
    assert "Okafor" in browser.get("/smart/").text


@pytest.mark.parametrize("iss", [OTHER, "https://evil.example/fhir", f"{BASE}/x", "http://127.0.0.1/fhir"])
def test_any_other_ends_before_any_call(iss: str, browser: Browser, ehr: Ehr) -> None:
    response = browser.get("/smart/standalone", {"iss": iss})
    assert response.status_code == 403
    assert "evil" not in response.text
    assert ehr.called == []


def test_where_none_allows_it_the_page_says_what_to_do(services: SmartServices) -> None:
    page = Browser(serving(services).test_client()).get("/smart/standalone")
    assert page.status_code == 200
    assert "from a patient's chart" in page.text.replace("&#39;", "'")
