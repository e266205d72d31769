"""From the sandbox EHR to the patient's page and the audit trail, over real sockets, PostgreSQL and Valkey."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from cds import app_context
from cds.audit.search import AuditTrails
from cds.audit.trail import OnBehalf, Trail, party
from cds.audit.verify import verify
from cds.ehr.backend_services import BackendServices
from cds.ehr.issuer_keys import IssuerKeys
from cds.ehr.smart_configuration import Discovery
from cds.findings import Prescreen
from cds.keys import Keys
from cds.pacs import PacsAccess
from cds.registration import Registration, Registrations
from cds.reporting.models import ModelCards
from cds.reporting.record import Record, kept, reported
from cds.reporting.sign_off import SignOffs
from cds.reporting.worklist import Worklist
from cds.sandbox.app import create_app
from cds.sandbox.ehr.registration import registration
from cds.sandbox.oauth import AuthorizationServer
from cds.sandbox.oauth.launch import Launch, LaunchContext, launch_url
from cds.sandbox.parts import Sandbox
from cds.settings import Settings
from cds.smart import SmartServices
from cds.store.database import Database
from cds.store.valkey import Valkey
from tests.opened import events
from tests.prescreens import prescreen
from tests.serving import listening
from tests.smart.conftest import PATIENT, film, overlay, serving


@dataclass
class Hospital:
    """The sandbox, and what our app beside it keeps."""

    sandbox: Sandbox
    oauth: AuthorizationServer
    keys: Keys
    database: Database
    tenant: str

    @property
    def registration(self) -> Registration:
        return Registration.from_json(registration(self.sandbox, tenant=self.tenant))

    def prescreened(self) -> Prescreen:
        """What was seen of the patient, and recorded."""
        study = replace(prescreen().study, root=self.sandbox.dicomweb_root)  # type: ignore[type-var]
        seen = prescreen(tenant=self.tenant, fhir_server=self.sandbox.fhir_base, study=study)
        trail = Trail(party("http://cds.test"), OnBehalf())
        Record(self.database).write(self.tenant, trail, kept(seen, trail), reported(seen, trail))
        return seen

    def events(self) -> list[dict[str, Any]]:
        """The audit trail, whose chain holds."""
        with self.database.transaction(self.tenant) as connection:
            assert verify(connection, self.tenant).broken is None
            return events(connection, self.tenant)

    def launch_url(self, handle: str = "", patient: str = "p1") -> str:
        """Where the EHR sends the browser when a clinician clicks a card's link."""
        context = LaunchContext(user="Practitioner/u1", patient=patient, app_context=handle)
        client = self.oauth.clients.get("sightline")
        assert client
        return launch_url(client, self.oauth.issuer, self.oauth.launches.issue(Launch(client.id, context)))

    def card(self) -> str:
        return app_context.issue(self.keys.handle, prescreen().id)


@pytest.fixture(scope="module")
def hospital(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, valkey: Valkey, database: Database
) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("hospital")
    with listening() as ehr, listening() as service, httpx.Client(trust_env=False) as http:
        ehr.app = create_app(home, ehr.base_url, service_url=service.base_url)
        sandbox: Sandbox = ehr.app.extensions["sandbox"]
        for resource in (PATIENT, {"resourceType": "Practitioner", "id": "u1", "name": [{"family": "Grey"}]}):
            sandbox.records.update(dict(resource))
        sandbox.pacs.store([film()])
        hospital = Hospital(sandbox, ehr.app.extensions["sandbox-oauth"], keys, database, f"tenant-{uuid4()}")
        hospital.prescreened()
        service.app = app(hospital, Settings(public_url=service.base_url), http, valkey)
        yield hospital
        sandbox.records.close()
        sandbox.archive.close()


def app(hospital: Hospital, settings: Settings, http: httpx.Client, valkey: Valkey) -> Flask:
    record = Record(hospital.database)
    return serving(
        SmartServices(
            settings=settings,
            keys=hospital.keys,
            registrations=Registrations([hospital.registration]),
            http=http,
            ehrs=Discovery(http),
            issuer_keys=IssuerKeys(http),
            valkey=valkey,
            prescreens=record,
            open_pacs=PacsAccess(http, BackendServices(http, hospital.keys, Discovery(http)), 2**26, 5.0).opener,
            explain=overlay,
            on_event=record.event,
            sign_offs=SignOffs(hospital.database),
            model_cards=ModelCards(hospital.database),
            worklist=Worklist(hospital.database),
            audit_trails=AuditTrails(hospital.database, hospital.keys.signing.all),
            afterwards=lambda work: None,
        )
    )


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        yield browser


def forget(hospital: Hospital) -> None:
    """Every grant that the EHR has given."""
    for _, grant in list(hospital.oauth.access_tokens._held.values()):
        hospital.oauth.end(grant)


def test_a_card_opens_its_prescreen(hospital: Hospital, browser: httpx.Client) -> None:
    before = len(hospital.events())
    page = browser.get(hospital.launch_url(hospital.card()))
    assert page.status_code == 200
    assert page.url.path == "/smart/"
    assert [urlsplit(str(step.url)).path for step in page.history] == [
        "/smart/launch",
        "/oauth/authorize",
        "/smart/callback",
    ]
    assert "Ada Ngozi Okafor" in page.text
    assert "Pneumothorax: high probability" in page.text
    image = browser.get(page.url.join("/smart/image"), params={"prescreen": prescreen().id})
    assert image.content.startswith(b"\x89PNG")
    events = hospital.events()[before:]
    assert [event["subtype"][0]["code"] for event in events] == ["ITI-71", "read", "read", "read"]
    assert all(event["agent"][2]["who"]["identifier"]["value"] == "u1" for event in events)


def test_a_launch_handle_is_good_once(hospital: Hospital, browser: httpx.Client) -> None:
    url = hospital.launch_url()
    assert browser.get(url).status_code == 200
    again = browser.get(url)
    assert again.status_code == 403
    assert "Your EHR did not let Sightline in" in again.text


def test_a_card_of_another_patient_opens_nothing(hospital: Hospital, browser: httpx.Client) -> None:
    hospital.sandbox.records.update({**PATIENT, "id": "p2", "name": [{"family": "Other"}]})
    page = browser.get(hospital.launch_url(hospital.card(), patient="p2"))
    assert page.status_code == 403
    assert "is about another patient than the one whose chart is open" in page.text


def test_a_revoked_token_ends_the_session(hospital: Hospital, browser: httpx.Client) -> None:
    page = browser.get(hospital.launch_url())
    forget(hospital)
    after = browser.get(page.url)
    assert after.status_code == 401
    assert "Your session has ended" in after.text


def test_a_token_that_is_revoked_is_renewed(hospital: Hospital, browser: httpx.Client) -> None:
    forget(hospital)
    page = browser.get(hospital.launch_url())
    (token,) = hospital.oauth.access_tokens._held
    hospital.sandbox.tokens.revoke(token)
    assert "Ada Ngozi Okafor" in browser.get(page.url).text
    assert browser.get(page.url).status_code == 200


def test_whoever_logs_out_leaves_no_token(hospital: Hospital, browser: httpx.Client) -> None:
    page = browser.get(hospital.launch_url())
    before = len(hospital.oauth.access_tokens._held)
    (csrf,) = set(re.findall(r'name="csrf" value="(\w+)"', page.text))
    left = browser.post(page.url.join("/smart/logout"), data={"csrf": csrf})
    assert "You are logged out" in left.text
    assert len(hospital.oauth.access_tokens._held) == before - 1
    assert browser.get(page.url).status_code == 401
    assert hospital.events()[-1]["subtype"][0]["code"] == "110123"


def test_a_standalone_launch_asks_who_is_at_work_on_whom(hospital: Hospital, chromium_page: Page) -> None:
    client = hospital.oauth.clients.get("sightline")
    assert client
    chromium_page.goto(client.launch_url.replace("/launch", "/standalone"))
    chromium_page.get_by_role("link", name="Sandbox EHR").click()
    chromium_page.get_by_role("combobox", name="Patient").select_option(label="Ada Ngozi Okafor")
    chromium_page.get_by_role("button", name="Allow").click()
    expect(chromium_page.get_by_text("Okafor").first).to_be_visible()
    assert urlsplit(chromium_page.url).path == "/smart/"


@pytest.fixture
def chromium_page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    yield page
    page.close()


def test_it_opens_in_an_iframe_of_the_ehr_and_asks_nobody_else(hospital: Hospital, chromium_page: Page) -> None:
    complaints: list[str] = []
    asked: set[str] = set()
    chromium_page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    chromium_page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    chromium_page.goto(hospital.sandbox.base_url)
    chromium_page.evaluate(
        """url => { const frame = document.createElement("iframe"); frame.name = "app"; frame.src = url;
                    frame.width = 400; frame.height = 700; document.body.append(frame); }""",
        hospital.launch_url(hospital.card()),
    )
    frame = chromium_page.frame_locator("iframe[name=app]")
    expect(frame.get_by_role("heading", level=1)).to_contain_text("Pneumothorax: high probability")
    expect(frame.locator("film-viewer[data-shown]")).to_be_visible()
    assert frame.locator("film-viewer").evaluate("viewer => viewer.film.rows") == 2048
    assert frame.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth")
    assert complaints == []
    assert asked == {urlsplit(hospital.sandbox.base_url).netloc, urlsplit(chromium_page.frames[1].url).netloc}
