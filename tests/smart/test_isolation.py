"""The app, as a clinician of another tenant who has every role: with forged ids there is nothing of the first's.

The strongest case: the very same EHR and patient, registered for another tenant now.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from cds.audit.trail import OnBehalf, Trail, party
from cds.findings import Prescreen
from cds.registration import Registrations
from cds.reporting.models import model_card
from cds.reporting.record import Record, kept, reported
from cds.reporting.resources import report_id
from cds.reporting.tasks import review_id
from cds.smart import SmartServices
from cds.store import resources
from cds.store.database import Database
from tests.prescreens import prescreen
from tests.smart.conftest import US, Browser, Ehr, registration, serving

ROLES = {role: {"groups": ["all"]} for role in ("radiologist", "auditor")}
SECRET = "Only the first tenant may read this card."
NOTHING_NAMED = {"launch", "standalone", "callback", "logout", "static", "jwks"}
"""Routes that take no id of a result."""


@pytest.fixture
def theirs(database: Database, tenant: str) -> Prescreen:
    """What is the first tenant's."""
    made, trail = prescreen(tenant=tenant), Trail(party(US), OnBehalf())
    Record(database).write(tenant, trail, kept(made, trail), reported(made, trail))
    with database.transaction(tenant) as connection:
        resources.put_new(connection, tenant, model_card(made.models[0], SECRET))
    return made


def enter(
    tenant: str,
    services: SmartServices,
    database: Database,
    browser: Browser,
    ehr: Ehr,
    sign_in: Callable[[], TestResponse],
) -> None:
    """Sign in where the EHR is registered for that tenant."""
    record = Record(database)
    known = Registrations([registration(tenant=tenant, roles=ROLES)])
    browser.client.application = serving(
        replace(services, prescreens=record, on_event=record.event, registrations=known)
    )
    ehr.claims["groups"] = ["all"]
    assert sign_in().status_code == 303


Enter = Callable[[str], None]


@pytest.fixture
def entering(
    services: SmartServices, database: Database, browser: Browser, ehr: Ehr, sign_in: Callable[[], TestResponse]
) -> Enter:
    return lambda tenant: enter(tenant, services, database, browser, ehr, sign_in)


def asked(browser: Browser, given: Prescreen) -> dict[str, TestResponse]:
    """Every route that shows or changes something, by its name, with the ids of ``given``."""
    named = {"prescreen": given.id}
    form = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', browser.get("/smart/audit").text)
    )

    def post(path: str, **filled: str) -> TestResponse:
        return browser.client.post(path, data={**form, **filled}, base_url=US, buffered=True)

    act = {"act": "7b4e28ba-2fa1-41d2-883f-0016d3cca427", "version": "1"}
    verdicts = {"verdict-pneumothorax": "agree", "verdict-effusion": "agree", "verdict-mass": "agree"}
    return {
        "patient": browser.get("/smart/", named),
        "image": browser.get("/smart/image", named),
        "film": browser.get("/smart/film", named),
        "overlay": browser.get("/smart/image/overlay/pneumothorax.png", named),
        "model": browser.get("/smart/model", {**named, "model": given.models[0].digest}),
        "worklist_step": post("/smart/worklist", item=review_id(given), version="1", step="claim"),
        "sign_off": post("/smart/sign-off", **named, **act, **verdicts),
        "worklist": browser.get("/smart/worklist"),
        "audit_trail": browser.get("/smart/audit"),
        "audit_searched": post("/smart/audit", patient=given.patient, **{"as": "csv"}),
    }


def test_nothing_is_shown_and_nothing_changed(
    theirs: Prescreen, entering: Enter, browser: Browser, database: Database
) -> None:
    entering(f"other than {theirs.tenant}")
    answers = asked(browser, theirs)
    refused = {"image", "film", "overlay", "model", "sign_off", "worklist_step"}
    assert {name: answer.status_code for name, answer in answers.items() if name in refused} == dict.fromkeys(
        refused, 404
    )
    told = [theirs.id, report_id(theirs) or "", review_id(theirs), SECRET, "Pneumothorax"]
    for name, answer in answers.items():
        assert not [secret for secret in told if secret in answer.text], name
    with database.transaction(theirs.tenant) as connection:
        for type, id in (("DiagnosticReport", report_id(theirs)), ("Task", review_id(theirs))):
            held = resources.get(connection, theirs.tenant, type, id or "")
            assert held
            assert held["meta"]["versionId"] == "1"


def test_in_their_own_tenant_the_same_is_there(theirs: Prescreen, entering: Enter, browser: Browser) -> None:
    entering(theirs.tenant)
    answers = asked(browser, theirs)
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code >= 400} == {}
    assert SECRET in answers["model"].text
    assert "Pneumothorax" in answers["patient"].text


def test_every_route_stands_here(theirs: Prescreen, entering: Enter, browser: Browser) -> None:
    entering(theirs.tenant)
    routes = {rule.endpoint.rpartition(".")[2] for rule in browser.client.application.url_map.iter_rules()}
    streams = {"events", "worklist_events"}
    assert routes == set(asked(browser, theirs)) | NOTHING_NAMED | streams
