"""Other studies beside the one that was scored: the same patient's, as far as the EHR lets the user see them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from cds.imaging.dicomweb import INCLUDED, MAX_MATCHES
from cds.keys import Keys
from cds.registration import Registrations
from cds.smart import SmartServices
from tests.prescreens import prescreen
from tests.smart.conftest import BASE, PACS, STUDIES, Browser, Ehr, film, multipart, registration, serving

SignIn = Callable[[], TestResponse]
Named = Callable[[str], str]

EARLIER = "ImagingStudy/s0"
ASKED = {"prescreen": prescreen().id}


@pytest.fixture
def named(keys: Keys) -> Callable[[str], str]:
    """As an address names a study."""

    def name(reference: str) -> str:
        return hmac.new(keys.session, f"study {reference}".encode(), hashlib.sha256).hexdigest()[:32]

    return name


def study(id: str, uid: str, day: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "ImagingStudy",
        "id": id,
        "status": "available",
        "subject": {"reference": "Patient/p1"},
        "started": f"{day}T08:00:00Z",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "modality": [{"code": "DX"}],
        "description": "Chest PA",
        **changes,
    }


def found(*studies: dict[str, Any]) -> httpx.Response:
    entries = [{"resource": one} for one in studies]
    return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": entries})


@pytest.fixture
def chart(ehr: Ehr, sign_in: SignIn) -> Ehr:
    """The scored study, one before it, and what is none to compare with."""
    ehr.answers[STUDIES] = lambda r: found(
        study("s1", "1.2.3", "2026-11-20"),
        study("s0", "1.2.9", "2026-05-02"),
        study("ct", "1.2.8", "2026-05-01", modality=[{"code": "CT"}]),
        study("p2", "1.2.7", "2026-05-01", subject={"reference": "Patient/p2"}),
    )
    instance = {
        "00080018": {"Value": ["1.2.9.1.1"]},
        "0020000E": {"Value": ["1.2.9.1"]},
        "00080060": {"Value": ["DX"]},
    }
    search = httpx.QueryParams({"includefield": INCLUDED, "limit": MAX_MATCHES})
    ehr.answers[f"{PACS}/studies/1.2.9/instances?{search}"] = lambda r: httpx.Response(200, json=[instance])
    ehr.answers[f"{PACS}/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1"] = lambda r: multipart(film("1.2.9"))
    sign_in()
    return ehr


def test_the_list_has_the_patients_other_chest_radiographs(chart: Ehr, browser: Browser, named: Named) -> None:
    listed = browser.get("/smart/studies", ASKED).text
    assert "DX of 2026-05-02, Chest PA" in listed
    assert named(EARLIER) in listed
    for other in ("ImagingStudy/s1", "ImagingStudy/ct", "ImagingStudy/p2"):
        assert named(other) not in listed
    assert "ImagingStudy/" not in listed


@pytest.mark.parametrize("path", ["/smart/film", "/smart/film/reduced", "/smart/image"])
def test_one_of_them_is_shown(path: str, chart: Ehr, browser: Browser, events: list[Any], named: Named) -> None:
    answer = browser.get(path, {**ASKED, "study": named(EARLIER)})
    assert answer.status_code == 200
    assert events[-1][1]["entity"][0]["what"]["reference"] == EARLIER


@pytest.mark.parametrize("reference", ["ImagingStudy/p2", "ImagingStudy/ct", "ImagingStudy/s1", "Patient/p1", "x"])
def test_no_other_is(reference: str, chart: Ehr, browser: Browser, named: Named) -> None:
    answer = browser.get("/smart/film", {**ASKED, "study": named(reference)})
    assert (answer.status_code, answer.text) == (404, "the patient has no such chest radiograph")


@pytest.mark.parametrize(
    ("status", "said"), [(403, "does not show it to you"), (500, "did not answer as it should")]
)
def test_where_the_ehr_does_not_tell_that_is_said(
    status: int, said: str, chart: Ehr, browser: Browser, named: Named
) -> None:
    chart.answers[STUDIES] = lambda r: httpx.Response(status)
    assert said in browser.get("/smart/studies", ASKED).text
    assert browser.get("/smart/film", {**ASKED, "study": named(EARLIER)}).status_code == 502


def test_without_the_scope_the_ehr_is_not_asked(ehr: Ehr, sign_in: SignIn, browser: Browser) -> None:
    ehr.scope = "openid patient/Patient.r"
    sign_in()
    assert "did not grant Sightline to show you images" in browser.get("/smart/studies", ASKED).text
    assert STUDIES not in ehr.called


def test_no_heat_map_is_laid_over_another_study(chart: Ehr, browser: Browser, named: Named) -> None:
    """It is of the film that was scored, whatever the request says beside it."""
    path = "/smart/image/overlay/pneumothorax.png"
    assert browser.get(path, {**ASKED, "study": named(EARLIER)}).data == browser.get(path, ASKED).data


def test_the_search_is_told(chart: Ehr, browser: Browser, events: list[Any]) -> None:
    browser.get("/smart/studies", ASKED)
    assert events[-1][1]["subtype"][0]["code"] == "search-type"
    assert BASE in str(events[-1][1]["agent"])


OTHER_PACS = "https://archive.example/dicom-web"
WITH_ENDPOINTS = f"{STUDIES}&_include=ImagingStudy%3Aendpoint"


def endpoint(id: str, address: str) -> dict[str, Any]:
    return {
        "resourceType": "Endpoint",
        "id": id,
        "status": "active",
        "connectionType": {"code": "dicom-wado-rs"},
        "address": address,
    }


class TestInAnotherPacs:
    """A study opens where its Endpoint says that it is."""

    @pytest.fixture
    def elsewhere(self, chart: Ehr, services: SmartServices, browser: Browser) -> Ehr:
        """The earlier study lies in an archive of its own; one before it in a PACS that nobody registered."""
        known = registration(pacs=[{"root": PACS}, {"root": OTHER_PACS}])
        browser.client.application = serving(replace(services, registrations=Registrations([known])))
        chart.answers[WITH_ENDPOINTS] = lambda r: found(
            study("s1", "1.2.3", "2026-11-20"),
            study("s0", "1.2.9", "2026-05-02", endpoint=[{"reference": "Endpoint/archive"}]),
            study("old", "1.2.6", "2025-05-02", endpoint=[{"reference": "Endpoint/abroad"}]),
            endpoint("archive", OTHER_PACS),
        )
        chart.answers[f"{BASE}/Endpoint/abroad"] = lambda r: httpx.Response(
            200, json=endpoint("abroad", "https://abroad.example/dicom-web")
        )
        for asked in [asked for asked in chart.answers if asked.startswith(f"{PACS}/studies/1.2.9")]:
            chart.answers[asked.replace(PACS, OTHER_PACS)] = chart.answers.pop(asked)
        chart.scope = "openid fhirUser patient/*.rs"
        browser.callback(chart.authorize(browser.launch().headers["Location"]))
        return chart

    def test_it_opens_there(self, elsewhere: Ehr, browser: Browser, named: Named) -> None:
        assert browser.get("/smart/film", {**ASKED, "study": named(EARLIER)}).status_code == 200
        assert any(url.startswith(f"{OTHER_PACS}/studies/1.2.9/") for url in elsewhere.called)

    def test_of_one_that_is_not_registered_that_is_said(
        self, elsewhere: Ehr, browser: Browser, named: Named
    ) -> None:
        listed = browser.get("/smart/studies", ASKED).text
        assert "DX of 2025-05-02, Chest PA: in a PACS that Sightline is not set up for" in listed
        assert named(EARLIER) in listed
        assert named("ImagingStudy/old") not in listed

    def test_and_it_is_not_asked(
        self, elsewhere: Ehr, services: SmartServices, browser: Browser, named: Named
    ) -> None:
        answer = browser.get("/smart/film", {**ASKED, "study": named("ImagingStudy/old")})
        assert (answer.status_code, answer.text) == (
            403,
            "the image is in a PACS that Sightline is not set up for",
        )
        assert not any("abroad.example" in url for url in elsewhere.called)

    def test_where_an_endpoint_cannot_be_read_every_registered_pacs_is_asked(
        self, elsewhere: Ehr, browser: Browser, named: Named
    ) -> None:
        elsewhere.answers[f"{BASE}/Endpoint/archive"] = lambda r: httpx.Response(403)
        elsewhere.answers[WITH_ENDPOINTS] = lambda r: found(
            study("s0", "1.2.9", "2026-05-02", endpoint=[{"reference": "Endpoint/archive"}])
        )
        search = httpx.QueryParams({"includefield": INCLUDED, "limit": MAX_MATCHES})
        for root, held in ((PACS, []), (OTHER_PACS, [{"00080060": {"Value": ["DX"]}}])):
            elsewhere.answers[f"{root}/studies/1.2.9/series?{search}"] = partial(answer, held)
        assert browser.get("/smart/film", {**ASKED, "study": named(EARLIER)}).status_code == 200
        assert any(url.startswith(f"{OTHER_PACS}/studies/1.2.9/series/") for url in elsewhere.called)


def answer(held: list[Any], request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=held)
