"""The patient's page: what a clinician reads, and about whom."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image
from werkzeug.test import TestResponse

from cds.errors import Away, Busy, EngineError, Unreachable
from cds.findings import Assertion, Evidence, Prescreen, StudySeen
from cds.imaging.dicomweb import DICOMweb
from cds.reporting.models import model_card
from cds.reporting.words import DISCLAIMER
from cds.smart import SmartServices
from cds.store import resources
from cds.store.database import Database
from tests.prescreens import DOUBT, EFFUSION, IMAGE_MODEL, MASS, PACS_DOWN, in_doubt, prescreen
from tests.smart.conftest import BASE, FILM, PACS, PATIENT, Browser, Ehr, Kept, serving

SignIn = Callable[[], TestResponse]
Handle = Callable[..., str]
Events = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture
def page(sign_in: SignIn, browser: Browser) -> Callable[[], TestResponse]:
    """Sign in, and open the page."""

    def opened() -> TestResponse:
        assert sign_in().status_code == 303
        return browser.get("/smart/")

    return opened


Page = Callable[[], TestResponse]


def text(response: TestResponse) -> str:
    """What is read, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.text).split())


def test_the_patient_is_named_first(page: Page) -> None:
    read = text(page())
    assert "Ada Ngozi Okafor Born 1961-03-04 (" in read
    assert "Sex female MRN MRN-4711" in read
    assert read.index("Okafor") < read.index("Pneumothorax")


def test_the_worst_finding_comes_first_with_what_it_rests_on(page: Page) -> None:
    read = text(page())
    assert "Pneumothorax: high probability 93 %" in read
    assert "Time-critical. Rests on the image (95 %) and the notes (81 %)." in read
    assert DISCLAIMER in read


def test_every_finding_is_in_the_table(page: Page) -> None:
    read = text(page())
    assert "Pleural effusion uncertain, needs manual review together 50 % image 50 % notes 50 %" in read
    assert "Lung mass low probability together 2 % image 2 % notes 1 %" in read


def test_how_far_a_probability_can_be_off_stands_beside_it(page: Page) -> None:
    assert re.search(r"together 93 % 62 to 97 % image 95 %", text(page()))


def test_a_film_in_doubt_is_said(page: Page, kept: Kept) -> None:
    assert "The film is in doubt" not in text(page())
    kept.all[:] = [in_doubt()]
    assert f"The film is in doubt {DOUBT.capitalize()}" in text(page())


def test_what_was_seen_and_by_which_models(page: Page, kept: Kept) -> None:
    kept.all[:] = [prescreen(missing=(PACS_DOWN,))]
    read = text(page())
    assert re.search(r"DX PA of 2026-11-20, .* old ImagingStudy/s1", read)
    assert "ED note of 2026-11-20 DocumentReference/d1" in read
    assert "Image: the PACS did not answer (503)." in read
    assert "image: chest-radiograph 1.0.0 aaaaaaaaaaaa" in read
    assert "Computed 2026-11-22 09:30 UTC" in read


def test_a_prescreen_without_findings_above_a_threshold(page: Page, kept: Kept) -> None:
    kept.all[:] = [prescreen(findings=(MASS,))]
    assert "No finding above its threshold" in text(page())


def test_a_prescreen_that_could_not_look_at_anything(page: Page, kept: Kept) -> None:
    kept.all[:] = [prescreen(findings=(), models=(), study=None, notes=(), missing=(PACS_DOWN,))]
    read = text(page())
    assert "Nothing could be scored" in read
    assert "the PACS did not answer (503)." in read


def test_without_a_prescreen_it_is_said_how_to_get_one(page: Page, kept: Kept) -> None:
    kept.all.clear()
    read = text(page())
    assert "No prescreen for this patient yet" in read
    assert "sign an imaging order" in read
    assert "Okafor" in read


def test_what_a_note_or_a_name_holds_is_text(page: Page, kept: Kept, ehr: Ehr) -> None:
    evil = "<script>alert(1)</script>"
    named = PATIENT | {"name": [{"family": evil}], "gender": evil}
    ehr.answers[f"{BASE}/Patient/p1"] = lambda request: httpx.Response(200, json=named)
    study = StudySeen(evil, "1.2", "1.2", evil, evil, None, evil, PACS, (evil,))
    kept.all[:] = [prescreen(study=study)]
    shown = page().text
    assert "&lt;script&gt;" in shown
    assert evil not in shown


def test_sentences_of_the_notes_are_shown_with_what_they_were_taken_for(page: Page, kept: Kept) -> None:
    said = Evidence("pneumothorax", Assertion.PRESENT, "Large <b>left</b> pneumothorax.", 0, 24, 0.94)
    denied = Evidence("pneumothorax", Assertion.NEGATED, "No pneumothorax last year.", 30, 56)
    kept.all[:] = [prescreen(evidence=(said, denied))]
    shown = page()
    assert "Large &lt;b&gt;left&lt;/b&gt; pneumothorax." in shown.text
    read = text(shown)
    assert "says it is there, 94 %" in read
    assert "No pneumothorax last year. denies it: not counted" in read


def test_without_the_grant_no_sentence_is_shown(page: Page, kept: Kept, ehr: Ehr) -> None:
    said = Evidence("pneumothorax", Assertion.PRESENT, "Large pneumothorax.", 0, 19, 0.94)
    kept.all[:] = [prescreen(evidence=(said,))]
    ehr.scope = "launch openid fhirUser patient/Patient.r"
    assert "Large pneumothorax" not in page().text


@pytest.mark.parametrize(("said", "slim"), [(True, False), (False, True), (None, False)])
def test_the_banner_is_as_full_as_the_ehr_needs_it(said: bool | None, slim: bool, page: Page, ehr: Ehr) -> None:
    """SMART App Launch 2.2, ``need_patient_banner``; who it is stays to be seen."""
    ehr.context["need_patient_banner"] = said
    read = text(page())
    assert "Ada Ngozi Okafor" in read
    assert ("Born 1961" not in read) == slim


class TestModelCard:
    def test_a_models_card_is_one_click_away(
        self, page: Page, browser: Browser, database: Database, events: Events
    ) -> None:
        card = model_card(IMAGE_MODEL, "# A card\n\n<script>alert(1)</script> [away](https://evil.example)")
        with database.transaction("general") as connection:
            resources.put_new(connection, "general", card)
        (link,) = re.findall(r'href="(/smart/model[^"]*)">chest-radiograph', page().text)
        shown = browser.get(link.replace("&amp;", "&"))
        assert "<h1>A card</h1>" in shown.text
        assert "&lt;script&gt;" in shown.text
        assert 'href="https:' not in shown.text
        assert events[-1][1]["entity"][0]["what"]["reference"] == f"DocumentReference/{card['id']}"

    @pytest.mark.parametrize("model", ["", "f" * 64, "../x"])
    def test_only_of_what_made_the_prescreen(self, model: str, page: Page, browser: Browser) -> None:
        page()
        answer = browser.get("/smart/model", {"prescreen": prescreen().id, "model": model})
        assert answer.status_code == 404


class TestWhichPrescreen:
    def test_that_of_the_card(self, page: Page, kept: Kept, ehr: Ehr, handle: Handle) -> None:
        later = prescreen(id="3c4e28ba-2fa1-51d2-883f-0016d3cca427", findings=(EFFUSION,))
        kept.all.append(later)
        ehr.context["appContext"] = handle()
        assert "Pneumothorax: high" in text(page())

    def test_the_latest_without_a_card(self, page: Page, kept: Kept) -> None:
        kept.all.append(prescreen(id="3c4e28ba-2fa1-51d2-883f-0016d3cca427", findings=(EFFUSION,)))
        assert "Pleural effusion: uncertain" in text(page())

    @pytest.mark.parametrize("context", ["forged", "x" * 76, "{}", ""])
    def test_the_latest_where_the_handle_is_not_ours(self, context: str, page: Page, ehr: Ehr) -> None:
        ehr.context["appContext"] = context
        read = text(page())
        assert "Pneumothorax: high" in read
        assert ("link has expired" in read) == bool(context)

    def test_the_latest_where_the_link_is_too_old(self, page: Page, ehr: Ehr, handle: Handle) -> None:
        ehr.context["appContext"] = handle(now=time.time() - 9 * 3600)
        assert "link has expired" in text(page())

    def test_never_another_patients(
        self, page: Page, kept: Kept, ehr: Ehr, handle: Handle, events: Events
    ) -> None:
        kept.all[:] = [prescreen(patient="Patient/p2")]
        ehr.context["appContext"] = handle()
        response = page()
        assert response.status_code == 403
        read = text(response)
        assert "is about another patient than the one whose chart is open" in read
        assert not any(word in read for word in ("Pneumothorax", "Okafor", "p2"))
        assert events[-1][1]["outcomeDesc"] == "the card's prescreen is of another patient than the launch"
        assert events[-1][1]["agent"][2]["who"]["identifier"]["value"] == "u1"

    def test_never_the_same_id_on_another_server(self, page: Page, kept: Kept, ehr: Ehr, handle: Handle) -> None:
        kept.all[:] = [prescreen(fhir_server="https://other.example/fhir")]
        ehr.context["appContext"] = handle()
        assert page().status_code == 403

    def test_one_that_was_withdrawn_is_not_shown(
        self, page: Page, kept: Kept, ehr: Ehr, handle: Handle, events: Events
    ) -> None:
        kept.withdrawn = {prescreen().id}
        ehr.context["appContext"] = handle()
        response = page()
        assert response.status_code == 410
        assert "This prescreen was withdrawn" in text(response)
        assert "Pneumothorax" not in text(response)
        assert events[-1][1]["outcomeDesc"] == "a model of the prescreen was withdrawn"

    def test_never_another_tenants(self, page: Page, kept: Kept, ehr: Ehr, handle: Handle) -> None:
        kept.all[:] = [prescreen(tenant="another")]
        ehr.context["appContext"] = handle()
        assert "No prescreen for this patient yet" in text(page())


class TestGrantedScopes:
    """Checklist: read the granted scope, which may differ, and degrade."""

    def test_v1_scopes_let_read_too(self, page: Page, ehr: Ehr) -> None:
        ehr.scope = "launch openid fhirUser patient/*.read"
        shown = page()
        assert "Okafor" in shown.text
        assert "<film-viewer" in shown.text

    @pytest.mark.parametrize("scope", ["", "launch openid", "patient/Observation.rs", "patient/Patient.s"])
    def test_less_is_shown_for_less(self, scope: str, page: Page, browser: Browser, ehr: Ehr) -> None:
        ehr.scope = scope
        shown = page()
        read = text(shown)
        assert "The name could not be read from your EHR" in read
        assert "did not grant Sightline to show you images" in read
        assert "ED note" not in read
        assert "<film-viewer" not in shown.text
        assert f"{BASE}/Patient/p1" not in ehr.called
        assert browser.get("/smart/image", {"prescreen": prescreen().id}).status_code == 403
        assert FILM not in ehr.called


class TestTheEhrInTrouble:
    def test_a_token_that_it_no_longer_takes_ends_the_session(self, page: Page, ehr: Ehr) -> None:
        ehr.answers[f"{BASE}/Patient/p1"] = lambda request: httpx.Response(401)
        response = page()
        assert response.status_code == 401
        assert "Your session has ended" in response.text
        assert "Pneumothorax" not in response.text

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(403),
            httpx.Response(404),
            httpx.Response(500),
            httpx.Response(302, headers={"Location": "https://evil.example"}),
            httpx.Response(200, json=PATIENT | {"id": "p2"}),
            httpx.Response(200, text="hello"),
        ],
    )
    def test_without_a_name_it_says_so(self, answer: httpx.Response, page: Page, ehr: Ehr) -> None:
        ehr.answers[f"{BASE}/Patient/p1"] = lambda request: answer
        response = page()
        assert response.status_code == 200
        assert "check that this is the patient whose chart is open" in text(response)


class TestImage:
    def test_it_is_a_png_of_moderate_size(self, page: Page, browser: Browser) -> None:
        (source,) = re.findall(r'<img src="([^"]+)"', page().text)
        response = browser.get(source)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        with Image.open(BytesIO(response.data)) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (512, 1024))
            darkest, brightest = image.getextrema()
            assert darkest < 10
            assert brightest > 245

    @pytest.mark.parametrize("asked", ["", "3c4e28ba-2fa1-51d2-883f-0016d3cca427", "../x"])
    def test_only_of_the_prescreen_on_the_page(self, asked: str, page: Page, browser: Browser, ehr: Ehr) -> None:
        page()
        assert browser.get("/smart/image", {"prescreen": asked}).status_code == 404
        assert FILM not in ehr.called

    def test_only_of_the_patient_in_context(
        self, page: Page, browser: Browser, kept: Kept, ehr: Ehr, handle: Handle
    ) -> None:
        kept.all[:] = [prescreen(patient="Patient/p2")]
        ehr.context["appContext"] = handle()
        page()
        assert browser.get("/smart/image", {"prescreen": prescreen().id}).status_code == 403
        assert FILM not in ehr.called

    @pytest.mark.parametrize(
        "answer", [httpx.Response(503), httpx.Response(404), httpx.Response(200, content=b"no DICOM")]
    )
    def test_a_pacs_in_trouble_is_one_sentence(
        self, answer: httpx.Response, page: Page, browser: Browser, ehr: Ehr
    ) -> None:
        ehr.answers[FILM] = lambda request: answer
        page()
        response = browser.get("/smart/image", {"prescreen": prescreen().id})
        assert response.status_code == 502
        assert response.text == "the image cannot be had from the PACS just now"

    def test_without_a_session_there_is_none(self, browser: Browser, ehr: Ehr) -> None:
        assert browser.get("/smart/image", {"prescreen": prescreen().id}).status_code == 401
        assert ehr.called == []


class TestOverlay:
    OF_PNEUMOTHORAX = "/smart/image/overlay/pneumothorax.png"

    def test_it_is_the_one_of_the_finding(self, page: Page, browser: Browser) -> None:
        page()
        response = browser.get(self.OF_PNEUMOTHORAX, {"prescreen": prescreen().id})
        assert (response.status_code, response.mimetype) == (200, "image/png")
        assert response.data == b"\x89PNG of pneumothorax"

    @pytest.mark.parametrize(
        ("finding", "why"),
        [
            ("effusion", "not available: this model has no last convolutional map to look at"),
            ("fracture", "the image was not scored for such a finding"),
        ],
    )
    def test_where_there_is_none_it_says_why(self, finding: str, why: str, page: Page, browser: Browser) -> None:
        page()
        response = browser.get(f"/smart/image/overlay/{finding}.png", {"prescreen": prescreen().id})
        assert (response.status_code, response.text) == (404, why)

    @pytest.mark.parametrize("refusal", [Busy("there is more to do than can be done in time"), Away("not there")])
    def test_where_there_is_too_much_else_to_do_it_says_so(
        self, refusal: EngineError, services: SmartServices, page: Page, browser: Browser
    ) -> None:
        def explain(prescreen: Prescreen, finding: str, pacs: DICOMweb) -> bytes:
            raise refusal

        page()
        browser.client.application = serving(replace(services, explain=explain))
        response = browser.get(self.OF_PNEUMOTHORAX, {"prescreen": prescreen().id})
        assert response.status_code == 503
        assert response.text == "there is too much else to do just now; try again in a moment"

    def test_only_of_the_prescreen_on_the_page(self, page: Page, browser: Browser) -> None:
        page()
        other = {"prescreen": "3c4e28ba-2fa1-51d2-883f-0016d3cca427"}
        assert browser.get(self.OF_PNEUMOTHORAX, other).status_code == 404

    def test_not_without_the_right_to_read_images(self, page: Page, browser: Browser, ehr: Ehr) -> None:
        ehr.scope = "openid fhirUser launch patient/Patient.rs"
        page()
        assert browser.get(self.OF_PNEUMOTHORAX, {"prescreen": prescreen().id}).status_code == 403

    def test_not_without_a_session(self, browser: Browser) -> None:
        assert browser.get(self.OF_PNEUMOTHORAX, {"prescreen": prescreen().id}).status_code == 401

    def test_it_is_a_read_of_the_study_by_this_user(self, page: Page, browser: Browser, events: Events) -> None:
        page()
        browser.get(self.OF_PNEUMOTHORAX, {"prescreen": prescreen().id})
        *_, (tenant, event) = events
        assert tenant == "general"
        assert event["entity"][0]["what"]["reference"] == "ImagingStudy/s1"
        assert event["agent"][2]["who"]["identifier"] == {"system": BASE, "value": "u1"}


class TestAudit:
    def test_page_and_image_are_reads_by_this_user(self, page: Page, browser: Browser, events: Events) -> None:
        page()
        browser.get("/smart/image", {"prescreen": prescreen().id})
        _login, name, seen, film = (event for _, event in events)
        assert [tenant for tenant, _ in events] == ["general"] * 4
        for event, resource in ((name, "Patient/p1"), (seen, "DiagnosticReport/"), (film, "ImagingStudy/s1")):
            assert event["subtype"][0]["code"] == "read"
            assert event["agent"][2]["who"]["identifier"] == {"system": BASE, "value": "u1"}
            assert event["entity"][0]["what"]["reference"].startswith(resource)
            assert event["entity"][1]["what"]["reference"] == "Patient/p1"

    def test_no_event_holds_a_name_or_a_token(self, page: Page, events: Events) -> None:
        page()
        assert not any(word in str(events) for word in ("Okafor", "secret-token", "a-code", "Pneumothorax"))

    def test_what_cannot_be_recorded_is_not_shown(
        self, services: SmartServices, sign_in: SignIn, browser: Browser
    ) -> None:
        def database_away(tenant: str, *events: Mapping[str, Any]) -> None:
            raise Unreachable("the database did not answer")

        sign_in()
        browser.client.application = serving(replace(services, on_event=database_away))
        for path in ("/smart/", f"/smart/image?prescreen={prescreen().id}"):
            response = browser.get(path)
            assert response.status_code == 502
            assert "A system did not answer" in response.text
            assert "Pneumothorax" not in response.text


class TestWhatTheBrowserMayDo:
    def test_the_policy_is_strict_and_frames_are_the_ehrs_alone(self, page: Page) -> None:
        policy = page().headers["Content-Security-Policy"]
        assert policy == (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'self'; "
            "frame-ancestors https://ehr.example"
        )

    def test_nothing_is_kept_sniffed_or_told_to_others(self, page: Page) -> None:
        headers = page().headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"

    def test_the_page_keeps_to_its_own_policy(self, page: Page, browser: Browser) -> None:
        shown = page().text
        assert not re.search(r"<script[^>]*>[^<]|\sstyle=|\son[a-z]+=|javascript:|<style", shown)
        addresses = [one for one in re.findall(r'(?:src|href)="([^"]*)"', shown) if "/smart/model" not in one]
        assert addresses
        for address in addresses:
            assert address.startswith("/smart/")
            assert browser.get(address.replace("&amp;", "&")).status_code == 200
        (style,) = re.findall(r'rel="stylesheet" href="([^"]*)"', shown)
        styles = browser.get(style).text
        assert not re.search(r"url\(|@import|https?:", styles)

    def test_a_session_that_is_over_still_shows_in_the_ehrs_frame(
        self, page: Page, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page()
        browser.client.set_cookie(
            "__Host-sightline-session",
            "x" * 43 + browser.client.get_cookie("__Host-sightline-session", "cds.example").value[43:],
            domain="cds.example",
            secure=True,
        )
        response = browser.get("/smart/")
        assert response.status_code == 401
        assert response.headers["Content-Security-Policy"].endswith("frame-ancestors https://ehr.example")

    @pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "x" * 43 + ".0123456789abcdef", "ä"])
    def test_a_stranger_is_framed_by_nobody(self, cookie: str, browser: Browser) -> None:
        response = browser.client.get(
            "/smart/", base_url="https://cds.example", headers={"Cookie": f"__Host-sightline-session={cookie}"}
        )
        assert response.status_code == 401
        assert response.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


class TestOpenedOnAStudy:
    """``fhirContext`` names the study that the clinician was looking at."""

    def opened(self, ehr: Ehr, sign_in: SignIn, browser: Browser, study: str) -> str:
        ehr.context = {"patient": "p1", "fhirContext": [{"reference": study}]}
        sign_in()
        return browser.get("/smart/").text

    def test_the_page_is_of_that_study(self, kept: Kept, ehr: Ehr, sign_in: SignIn, browser: Browser) -> None:
        kept.all.append(prescreen(id=str(UUID(int=2)), study=None, findings=()))
        shown = self.opened(ehr, sign_in, browser, "ImagingStudy/s1")
        assert "Pneumothorax: high probability" in shown
        assert "was not scored" not in shown

    def test_where_it_was_not_scored_that_is_said_with_what_is_shown(
        self, ehr: Ehr, sign_in: SignIn, browser: Browser
    ) -> None:
        shown = self.opened(ehr, sign_in, browser, "ImagingStudy/s9")
        assert "The study that your EHR opened was not scored" in shown
        assert "latest prescreen of this patient, of the DX of 2026-11-20" in " ".join(shown.split())

    def test_where_nothing_was_scored_it_is_said_too(
        self, kept: Kept, ehr: Ehr, sign_in: SignIn, browser: Browser
    ) -> None:
        kept.all.clear()
        assert "(ImagingStudy/s9) was not scored either" in self.opened(ehr, sign_in, browser, "ImagingStudy/s9")

    def test_a_card_goes_before_it(
        self,
        ehr: Ehr,
        sign_in: SignIn,
        browser: Browser,
        handle: Handle,
    ) -> None:
        ehr.context = {"patient": "p1", "appContext": handle(), "fhirContext": [{"reference": "ImagingStudy/s9"}]}
        sign_in()
        assert "was not scored" not in browser.get("/smart/").text
