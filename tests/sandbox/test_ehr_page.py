"""The page that plays the EHR, without a browser: what it shows, and what a click on it does."""

from __future__ import annotations

import re
from base64 import b64encode
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds.sandbox.ehr import cards, orders
from cds.sandbox.ehr.registration import registration
from cds.sandbox.parts import Sandbox
from tests.sandbox.dicom import instance
from tests.sandbox.hook_service import HookService
from tests.sandbox.smart_app import BASE, ISSUER

SERVICE = "http://127.0.0.1:8480"


@pytest.fixture
def service(app: Flask, sandbox: Sandbox, people: None) -> HookService:
    """The service that the page talks to, in this process."""
    service = HookService()
    service.base = SERVICE
    service.trust(registration(sandbox))
    app.extensions["sandbox-ehr"].service._http = httpx.Client(transport=httpx.WSGITransport(service.app))
    return service


class Clinician:
    """Someone at the page: follows its forms as a browser would."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = client.get("/patients/p1", base_url=BASE).get_data(as_text=True)

    def fields(self) -> dict[str, str]:
        """What stands in the form's fields, as far as they matter."""
        inputs = re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', self.page)
        inputs += re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.page)
        selects = re.findall(r'<select name="([^"]+)"(.*?)</select>', self.page, re.S)
        chosen = {}
        for name, body in selects:
            found = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', body)
            chosen[name] = next(text for text in (*found.groups(), "") if text is not None) if found else ""
        return dict(inputs) | chosen

    def click(self, action: str, **fields: str) -> str:
        """Press the first button whose address ends in ``action``."""
        response = self.post(self.address(action), **fields)
        assert response.status_code == 200, response.get_data(as_text=True)
        self.page = response.get_data(as_text=True)
        return self.page

    def address(self, action: str) -> str:
        found = re.search(rf'action="(/desk/[^"]*/{action})"', self.page)
        assert found, f"no button leads to {action}"
        return found[1]

    def post(self, path: str, **fields: str) -> TestResponse:
        headers = {"Origin": BASE, "X-Fragment": "desk"}
        return self.client.post(path, data=self.fields() | fields, headers=headers, base_url=BASE)


@pytest.fixture
def clinician(client: FlaskClient, service: HookService) -> Clinician:
    return Clinician(client)


@pytest.fixture
def advised(clinician: Clinician) -> Clinician:
    """The order was signed, and the cards are there."""
    clinician.click("sign", **{"order-0-reason": "Dyspnoea"})
    return clinician


class TestChart:
    def test_the_list_names_the_patients_and_says_that_they_are_synthetic(
        self, client: FlaskClient, people: None
    ) -> None:
        page = client.get("/", base_url=BASE).get_data(as_text=True)

        assert "Pat Example" in page
        assert "female" in page
        assert "Synthetic patients" in page

    def test_the_chart_shows_studies_notes_and_conditions(
        self, client: FlaskClient, sandbox: Sandbox, people: None
    ) -> None:
        about = {"subject": {"reference": "Patient/p1"}}
        note = {"contentType": "text/plain", "data": b64encode(b"Short of breath").decode(), "title": "ED note"}
        for resource in (
            {
                "resourceType": "ImagingStudy",
                "id": "s1",
                "description": "XR Chest",
                "started": "2026-01-01",
                **about,
            },
            {"resourceType": "DocumentReference", "id": "d1", "content": [{"attachment": note}], **about},
            {"resourceType": "Condition", "id": "c1", "code": {"text": "Asthma"}, **about},
        ):
            sandbox.records.update(resource)
        page = client.get("/patients/p1", base_url=BASE).get_data(as_text=True)

        assert all(word in page for word in ("XR Chest", "2026-01-01", "ED note", "Asthma", "Dr Ada Grey"))
        document = client.get("/documents/d1", base_url=BASE)
        assert document.get_data(as_text=True) == "Short of breath"
        assert document.headers["Content-Security-Policy"].startswith("sandbox;")

    def test_the_film_of_a_study_is_shown(self, client: FlaskClient, sandbox: Sandbox, people: None) -> None:
        sandbox.archive.store(instance("1.2.3", "1.2.3.1", "1.2.3.1.1"))
        series = [{"uid": "1.2.3.1", "instance": [{"uid": "1.2.3.1.1"}]}]
        identifier = [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}]
        study = {"resourceType": "ImagingStudy", "id": "s1", "identifier": identifier, "series": series}
        sandbox.records.update(study)
        sandbox.records.update({"resourceType": "ImagingStudy", "id": "s2"})

        film = client.get("/studies/s1/film", base_url=BASE)
        assert film.mimetype == "image/jpeg"
        assert film.get_data().startswith(b"\xff\xd8")
        assert client.get("/studies/s2/film", base_url=BASE).status_code == 404
        sandbox.archive.fault("1.2.3", 503)
        assert client.get("/studies/s1/film", base_url=BASE).status_code == 404

    def test_a_note_kept_as_binary_is_shown_too(self, client: FlaskClient, sandbox: Sandbox, people: None) -> None:
        held = {
            "resourceType": "Binary",
            "id": "b1",
            "contentType": "text/html",
            "data": b64encode(b"<p>x").decode(),
        }
        attachment = {"contentType": "text/html", "url": f"{ISSUER}/Binary/b1"}
        sandbox.records.update(held)
        sandbox.records.update(
            {"resourceType": "DocumentReference", "id": "d2", "content": [{"attachment": attachment}]}
        )

        assert client.get("/documents/d2", base_url=BASE).get_data() == b"<p>x"

    @pytest.mark.parametrize(
        "attachment", [{}, {"data": "!"}, {"url": "Binary/none"}, {"url": "https://elsewhere.test/note"}]
    )
    def test_a_note_that_is_not_here_is_not_found(
        self, client: FlaskClient, sandbox: Sandbox, people: None, attachment: dict[str, str]
    ) -> None:
        sandbox.records.update(
            {"resourceType": "DocumentReference", "id": "d3", "content": [{"attachment": attachment}]}
        )

        assert client.get("/documents/d3", base_url=BASE).status_code == 404

    def test_a_note_of_an_odd_type_is_only_bytes(
        self, client: FlaskClient, sandbox: Sandbox, people: None
    ) -> None:
        attachment = {"contentType": "text/html\nX-Evil: 1", "data": "eA=="}
        sandbox.records.update(
            {"resourceType": "DocumentReference", "id": "d4", "content": [{"attachment": attachment}]}
        )

        assert client.get("/documents/d4", base_url=BASE).mimetype == "application/octet-stream"

    def test_what_is_in_the_records_is_shown_as_text(
        self, client: FlaskClient, sandbox: Sandbox, people: None
    ) -> None:
        sandbox.records.update({"resourceType": "Patient", "id": "p3", "name": [{"text": "<b>Bobby</b>"}]})

        assert "<b>Bobby" not in client.get("/", base_url=BASE).get_data(as_text=True)

    def test_a_patient_we_do_not_know_is_not_found(self, client: FlaskClient, people: None) -> None:
        assert client.get("/patients/nobody", base_url=BASE).status_code == 404

    def test_reports_that_come_back_are_listed(self, client: FlaskClient, sandbox: Sandbox, people: None) -> None:
        sandbox.records.create(
            {
                "resourceType": "DiagnosticReport",
                "status": "preliminary",
                "meta": {"security": [{"code": "AIAST"}]},
                "code": {"text": "Imaging prescreen"},
                "subject": {"reference": "Patient/p1"},
                "issued": "2026-01-01T09:00:00Z",
                "conclusion": "Likely pneumothorax",
            }
        )

        (report,) = client.get("/patients/p1/reports.json", base_url=BASE).get_json()
        assert report["conclusion"] == "Likely pneumothorax"
        assert (report["status"], report["labels"]) == ("preliminary", ["AIAST"])


class TestSigning:
    def test_the_form_is_what_the_service_gets(self, clinician: Clinician, service: HookService) -> None:
        fields = {"order-0-code": "24627-2", "order-0-priority": "urgent", "order-0-reason": "Dyspnoea"}
        clinician.click("sign", **fields)

        (entry,) = service.received[0]["body"]["context"]["draftOrders"]["entry"]
        order = entry["resource"]
        assert order["status"] == "draft"
        assert order["code"]["coding"][0] == {
            "system": "http://loinc.org",
            "code": "24627-2",
            "display": "CT Chest",
        }
        assert order["priority"] == "urgent"
        assert order["reasonCode"] == [{"text": "Dyspnoea"}]
        assert order["subject"]["reference"] == "Patient/p1"
        assert order["encounter"]["reference"] == "Encounter/e1"

    def test_the_cards_are_shown_as_the_specification_says(self, advised: Clinician) -> None:
        page = advised.page

        assert 'class="card critical"' in page
        assert "Likely pneumothorax" in page
        assert "<td>0.97</td>" in page
        assert "<script>" not in page
        assert "<strong>Act now.</strong>" in page
        assert "recommended" in page
        assert 'href="https://guideline.test/" target="_blank"' in page
        assert "javascript:" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.S)
        assert re.search(r"\d+ ms", page)

    def test_a_card_that_breaks_a_rule_is_shown_with_the_rule(self, advised: Clinician) -> None:
        assert "summary must be there and under 140 characters" in advised.page
        assert "indicator must be info, warning or critical" in advised.page
        assert "source needs a label" in advised.page

    def test_no_cards_are_no_news(self, clinician: Clinician, service: HookService) -> None:
        service.answer = lambda: jsonify(cards=[])

        assert "No advice." in clinician.click("sign")

    def test_what_went_wrong_is_said(self, clinician: Clinician, service: HookService) -> None:
        issue = {"severity": "error", "code": "processing", "diagnostics": "the FHIR server did not answer"}
        service.answer = lambda: (jsonify(resourceType="OperationOutcome", issue=[issue]), 412)

        page = clinician.click("sign")
        assert "could not get the data" in page
        assert "the FHIR server did not answer" in page

    def test_a_value_that_the_form_does_not_offer_is_refused(
        self, clinician: Clinician, service: HookService
    ) -> None:
        assert "priority must be one of" in clinician.click("sign", **{"order-0-priority": "whenever"})
        assert service.received == []

    def test_the_signed_order_is_filed_as_active(self, advised: Clinician, sandbox: Sandbox) -> None:
        page = advised.click("file")

        found = re.search(r"Signed: ServiceRequest/([0-9a-f-]+)", page)
        assert found
        order = sandbox.records.read("ServiceRequest", found[1])
        assert (order["status"], order["intent"]) == ("active", "order")

    def test_a_draft_that_the_record_holds_is_gone_on_with(
        self, client: FlaskClient, service: HookService, sandbox: Sandbox
    ) -> None:
        held = orders.draft("p1", "Practitioner/grey", "e1", reason="Cough <3 weeks")
        sandbox.records.update({**held, "id": "begun"})
        clinician = Clinician(client)
        assert unescape(clinician.fields()["order-0-reason"]) == "Cough <3 weeks"

        clinician.click("sign")
        (entry,) = service.received[0]["body"]["context"]["draftOrders"]["entry"]
        assert entry["resource"]["id"] == "begun"
        assert "Signed: ServiceRequest/begun" in clinician.click("file")
        assert sandbox.records.read("ServiceRequest", "begun")["status"] == "active"

    def test_without_script_the_page_comes_back_whole(self, clinician: Clinician) -> None:
        path = clinician.address("sign")
        answer = clinician.client.post(path, data=clinician.fields(), headers={"Origin": BASE}, base_url=BASE)
        assert answer.status_code == 303

        page = clinician.client.get(answer.headers["Location"], base_url=BASE).get_data(as_text=True)
        assert "Likely pneumothorax" in page


class TestSuggestions:
    def test_an_update_changes_the_draft_and_is_told(self, advised: Clinician, service: HookService) -> None:
        advised.click("cards/0/accept/0")

        assert advised.fields()["order-0-priority"] == "stat"
        (entry,) = service.feedback
        assert entry["card"] == "11111111-0000-4000-8000-000000000001"
        assert entry["outcome"] == "accepted"
        assert entry["acceptedSuggestions"] == [{"id": "raise"}]
        assert "Feedback sent" in advised.page

    def test_a_delete_removes_the_draft(self, advised: Clinician) -> None:
        assert "The draft order was removed." in advised.click("cards/0/accept/1")
        assert "order-0-id" in advised.click("new")

    def test_a_create_adds_a_draft(self, advised: Clinician) -> None:
        page = advised.click("cards/1/accept/0")

        assert "Draft order 2" in page
        assert "CT Chest W contrast IV" in page

    def test_at_most_one_is_at_most_one(self, advised: Clinician) -> None:
        second = advised.address("cards/0/accept/1")
        advised.click("cards/0/accept/0")

        assert re.search(rf'formaction="{second}" disabled', advised.page)
        assert "not open any more" in advised.post(second).get_data(as_text=True)

    def test_any_is_any_and_is_told_again_with_both(self, advised: Clinician, service: HookService) -> None:
        advised.click("cards/1/accept/0")
        advised.click("cards/1/accept/1")

        assert [len(entry["acceptedSuggestions"]) for entry in service.feedback] == [1, 2]

    def test_a_suggestion_about_no_draft_of_ours_changes_nothing(
        self, advised: Clinician, service: HookService
    ) -> None:
        remove = advised.address("cards/0/accept/1")
        advised.click("file")

        assert "not being written" in advised.post(remove).get_data(as_text=True)
        assert service.feedback == []

    def test_an_override_is_told_with_its_reason(self, advised: Clinician, service: HookService) -> None:
        page = advised.click("cards/0/override", **{"card-0-reason": "0", "card-0-comment": "Seen before"})

        (entry,) = service.feedback
        assert entry["outcome"] == "overridden"
        assert entry["overrideReason"] == {
            "reason": {"code": "known", "system": "https://service.test/reasons"},
            "userComment": "Seen before",
        }
        assert "Overridden" in page

    @pytest.mark.parametrize("path", ["cards/9/accept/0", "cards/0/accept/9", "cards/9/override"])
    def test_what_is_not_on_the_card_is_refused(self, advised: Clinician, service: HookService, path: str) -> None:
        address = advised.address("sign").removesuffix("sign") + path

        assert 'role="alert"' in advised.post(address).get_data(as_text=True)
        assert service.feedback == []


class TestLaunch:
    def test_a_smart_link_launches_the_app_for_this_patient(self, advised: Clinician, app: Flask) -> None:
        answer = advised.post(advised.address("cards/0/launch/0"), where="panel")

        place = urlsplit(answer.headers["Location"])
        assert f"{place.scheme}://{place.netloc}{place.path}" == f"{SERVICE}/smart/launch"
        query = parse_qs(place.query)
        assert query["iss"] == [ISSUER]
        held = app.extensions["sandbox-oauth"].launches.get(query["launch"][0])
        assert held.client_id == "sightline"
        assert (held.context.patient, held.context.encounter) == ("p1", "e1")
        assert held.context.user == "Practitioner/grey"
        assert held.context.app_context == "handle-1"
        assert held.context.need_patient_banner is False

    def test_another_user_may_open_it(self, advised: Clinician, app: Flask) -> None:
        """A radiologist, an auditor, whoever is on the staff; and they stay chosen."""
        app.extensions["sandbox-ehr"].records.update({"resourceType": "Practitioner", "id": "d2"})
        answer = advised.post(advised.address("cards/0/launch/0"), opener="Practitioner/d2")
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        held = app.extensions["sandbox-oauth"].launches.get(query["launch"][0])
        assert held.context.user == "Practitioner/d2"
        assert '<option value="Practitioner/d2" selected>' in advised.click("sign", opener="Practitioner/d2")

    @pytest.mark.parametrize("opener", ["Practitioner/nobody", "Patient/p1", "x"])
    def test_but_nobody_of_elsewhere(self, opener: str, advised: Clinician) -> None:
        assert advised.post(advised.address("cards/0/launch/0"), opener=opener).status_code == 404

    @pytest.mark.parametrize(("link", "status"), [(1, 403), (2, 403), (9, 404)])
    def test_nothing_else_is_launched(self, advised: Clinician, link: int, status: int) -> None:
        address = advised.address("cards/0/launch/0")[:-1] + str(link)

        assert advised.post(address).status_code == status


class TestGuards:
    @pytest.mark.parametrize("origin", [None, "https://evil.test", "null", "http://sandbox.test.evil.test"])
    def test_a_form_from_elsewhere_is_refused(
        self, clinician: Clinician, service: HookService, origin: str | None
    ) -> None:
        headers = {"Origin": origin} if origin else {}
        answer = clinician.client.post(clinician.address("sign"), headers=headers, base_url=BASE)

        assert answer.status_code == 403
        assert service.received == []

    def test_another_name_for_us_is_sent_to_our_own(self, client: FlaskClient, people: None) -> None:
        answer = client.get("/patients/p1", base_url="http://rebound.test")

        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(BASE)

    def test_no_script_but_our_own(self, client: FlaskClient, people: None) -> None:
        response = client.get("/patients/p1", base_url=BASE)
        policy = response.headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe-inline" not in policy
        assert not re.search(r"<script(?! src=)|<[^>]+ (style|on[a-z]+)=", response.get_data(as_text=True))


class TestMarkdown:
    @pytest.mark.parametrize(
        ("text", "html"),
        [
            ("~~old~~", "<s>old</s>"),
            ("| a |\n|---|\n| b |", "<td>b</td>"),
            ("<img src=x onerror=alert(1)>", "&lt;img"),
            ("[x](https://a.test)", 'rel="noopener noreferrer" href="https://a.test"'),
            ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
            ("![x](https://a.test/pixel)", 'href="https://a.test/pixel"'),
        ],
    )
    def test_detail(self, text: str, html: str) -> None:
        assert html in cards.markdown(text)

    @pytest.mark.parametrize("card", [{}, {"summary": 1, "links": "x", "suggestions": [1], "source": []}])
    def test_a_card_of_the_wrong_shape_is_still_read(self, card: dict[str, Any]) -> None:
        assert cards.read(card).faults
