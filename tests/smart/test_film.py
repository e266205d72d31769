"""The film in the viewer: every pixel, all that was measured, and the window that the file asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from imagecodecs import jpeg2k_encode
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless
from werkzeug.test import TestResponse

from cds.errors import Unknown
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.pixels import read_radiograph, read_whole_range
from cds.smart import SmartServices
from tests.imaging.conftest import make_file
from tests.prescreens import prescreen
from tests.smart.conftest import FILM, Browser, Ehr, multipart, serving

SignIn = Callable[[], TestResponse]


def ramp() -> NDArray[np.uint16]:
    return np.linspace(0, 4095, 256 * 128).astype(np.uint16).reshape(256, 128)


def large(compressed: bool) -> bytes:
    """A film of 2,048 rows and 2,560 columns, of the study that the prescreen is of."""
    pixels = np.linspace(0, 4095, 2048 * 2560).astype(np.uint16).reshape(2048, 2560)
    codestream = jpeg2k_encode(pixels, level=0, codecformat="J2K", reversible=True) if compressed else None
    names = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": "1.2.3.1.1"}
    syntax = JPEG2000Lossless if compressed else ExplicitVRLittleEndian
    return make_file(pixels, syntax, stored=12, codestream=codestream, **names)


def values(response: TestResponse) -> NDArray[np.uint16]:
    """Of a PGM of two bytes to a value."""
    head, _, body = response.data.partition(b"\n")
    kind, columns, rows, white = head.split()
    assert (kind, white) == (b"P5", b"65535")
    return np.frombuffer(body, ">u2").reshape(int(rows), int(columns))


def test_it_comes_whole_in_sixteen_bits(sign_in: SignIn, browser: Browser) -> None:
    sign_in()
    response = browser.get("/smart/film", {"prescreen": prescreen().id})
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    pixels = values(response)
    assert pixels.shape == (2048, 1024)
    assert len(np.unique(pixels)) == 4096


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
def test_its_window_shows_what_a_workstation_shows_first(photometric: str, function: str) -> None:
    file = make_file(
        ramp(),
        stored=12,
        PhotometricInterpretation=photometric,
        WindowCenter=1500,
        WindowWidth=1000,
        VOILUTFunction=function,
    )
    film = read_whole_range(file)
    low, high = film.window
    assert np.allclose(np.clip((film.pixels - low) / (high - low), 0, 1), read_radiograph(file).pixels, atol=1e-5)
    assert len(np.unique(film.pixels)) == 4096


def test_a_curve_is_applied_and_needs_no_window() -> None:
    file = make_file(ramp(), stored=12, WindowCenter=1500, WindowWidth=1000, VOILUTFunction="SIGMOID")
    film = read_whole_range(file)
    assert film.window == (0.0, 1.0)
    assert np.array_equal(film.pixels, read_radiograph(file).pixels)


def test_what_explains_a_finding_is_laid_over_the_film(
    services: SmartServices, sign_in: SignIn, browser: Browser
) -> None:
    def explain(seen: Prescreen, finding: str, pacs: DICOMweb) -> bytes:
        if finding != "pneumothorax":
            raise Unknown("there is no such finding")
        return b"a picture"

    sign_in()
    browser.client.application = serving(replace(services, explain=explain))
    asked = {"prescreen": prescreen().id}
    assert browser.get("/smart/image/overlay/pneumothorax.png", asked).data == b"a picture"
    assert browser.get("/smart/image/overlay/no-such.png", asked).status_code == 404


def test_first_it_comes_with_as_many_pixels_as_a_screen_shows(sign_in: SignIn, browser: Browser) -> None:
    sign_in()
    whole = browser.get("/smart/film", {"prescreen": prescreen().id})
    reduced = browser.get("/smart/film/reduced", {"prescreen": prescreen().id})
    assert values(reduced).shape == (2048, 1024), "no film loses pixels that a pane would show"
    assert reduced.headers["Sightline-Size"] == whole.headers["Sightline-Size"] == "1024 2048"


@pytest.mark.parametrize("compressed", [False, True])
def test_a_large_film_comes_reduced_and_says_how_large_it_is(
    compressed: bool, ehr: Ehr, sign_in: SignIn, browser: Browser
) -> None:
    ehr.answers[FILM] = lambda r: multipart(large(compressed))
    sign_in()
    answer = browser.get("/smart/film/reduced", {"prescreen": prescreen().id})
    assert values(answer).shape == (1024, 1280)
    assert answer.headers["Sightline-Size"] == "2560 2048"
    whole = values(browser.get("/smart/film", {"prescreen": prescreen().id}))
    assert np.abs(values(answer) - whole.reshape(1024, 2, 1280, 2).mean(axis=(1, 3))).max() < 0.01 * 65535


def test_what_a_screen_shows_first_is_fetched_and_decoded_once(
    sign_in: SignIn, browser: Browser, ehr: Ehr
) -> None:
    sign_in()
    first, again = (browser.get("/smart/film/reduced", {"prescreen": prescreen().id}) for _ in range(2))
    assert again.data == first.data
    assert again.headers["Sightline-Window"] == first.headers["Sightline-Window"]
    assert ehr.called.count(FILM) == 1


class TestMadeReady:
    """While the page is on its way, its film and the map of the worst finding are made."""

    @pytest.fixture
    def explained(self, services: SmartServices, browser: Browser) -> list[str]:
        """The findings that were explained; what nobody waits for is done at once."""
        explained: list[str] = []

        def explain(seen: Prescreen, finding: str, pacs: DICOMweb) -> bytes:
            explained.append(finding)
            return b"a picture"

        ready = replace(services, explain=explain, afterwards=lambda work: work())
        browser.client.application = serving(ready)
        return explained

    def test_it_is_there_when_it_is_asked_for(
        self, explained: list[str], sign_in: SignIn, browser: Browser, ehr: Ehr
    ) -> None:
        sign_in()
        assert (ehr.called.count(FILM), explained) == (1, ["pneumothorax"])
        assert browser.get("/smart/film/reduced", {"prescreen": prescreen().id}).status_code == 200
        assert ehr.called.count(FILM) == 1

    def test_that_it_was_seen_is_told_when_it_is(
        self, explained: list[str], sign_in: SignIn, browser: Browser, events: list[tuple[str, Any]]
    ) -> None:
        def seen() -> list[str]:
            return [str(event) for _, event in events if "ImagingStudy/s1" in str(event)]

        sign_in()
        assert seen() == []
        browser.get("/smart/film/reduced", {"prescreen": prescreen().id})
        assert len(seen()) == 1

    def test_not_for_whom_the_ehr_lets_see_no_images(
        self, explained: list[str], sign_in: SignIn, ehr: Ehr
    ) -> None:
        ehr.scope = "openid fhirUser patient/Patient.r"
        sign_in()
        assert FILM not in ehr.called
        assert explained == []

    def test_a_pacs_that_is_down_keeps_nobody_from_the_page(
        self, explained: list[str], sign_in: SignIn, browser: Browser, ehr: Ehr
    ) -> None:
        ehr.answers[FILM] = lambda r: httpx.Response(503)
        assert sign_in().status_code == 303
        assert browser.get("/smart/film/reduced", {"prescreen": prescreen().id}).status_code == 502
