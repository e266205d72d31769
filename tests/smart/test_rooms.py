"""The worklist and the auditor's page: for whom they are, what they show, and that it is told."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from cds.audit.trail import OnBehalf, Trail, party
from cds.findings import Prescreen
from cds.registration import Registrations
from cds.reporting.record import Record, kept, reported
from cds.smart import SmartServices
from cds.store.database import Database
from tests.opened import events
from tests.prescreens import prescreen
from tests.smart.conftest import BASE, PATIENT, US, Browser, Ehr, registration, serving

SignIn = Callable[[], TestResponse]
As = Callable[[str], TestResponse]

ROLES = {role: {"groups": [role]} for role in ("radiologist", "auditor", "administrator")}
OTHER = PATIENT | {"id": "p2", "name": [{"family": "Berg", "given": ["Siv"]}]}


@pytest.fixture
def made(database: Database, tenant: str) -> Prescreen:
    """What was reported of another patient than the one in context."""
    made, trail = prescreen(tenant=tenant, patient="Patient/p2"), Trail(party(US), OnBehalf())
    Record(database).write(tenant, trail, kept(made, trail), reported(made, trail))
    return made


@pytest.fixture
def sign_in_as(
    services: SmartServices, database: Database, made: Prescreen, browser: Browser, ehr: Ehr, sign_in: SignIn
) -> As:
    record = Record(database)
    known = Registrations([registration(tenant=made.tenant, roles=ROLES)])
    browser.client.application = serving(
        replace(services, prescreens=record, on_event=record.event, registrations=known)
    )
    found: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": OTHER}]}
    ehr.answers[f"{BASE}/Patient?_id=p2"] = lambda request: httpx.Response(200, json=found)
    ehr.answers[f"{BASE}/Patient/p2"] = lambda request: httpx.Response(200, json=OTHER)

    def signed_in(role: str) -> TestResponse:
        ehr.claims["groups"] = [role]
        return sign_in()

    return signed_in


def text(response: TestResponse) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.text).split())


def post(browser: Browser, page: TestResponse, path: str, **filled: str) -> TestResponse:
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    return browser.client.post(path, data={**hidden, **filled}, base_url=US)


@pytest.mark.parametrize(
    ("role", "worklist", "audit"),
    [("clinician", 403, 403), ("radiologist", 200, 403), ("auditor", 403, 200), ("administrator", 200, 200)],
)
def test_each_room_is_for_its_roles(
    role: str, worklist: int, audit: int, sign_in_as: As, browser: Browser
) -> None:
    sign_in_as(role)
    assert browser.get("/smart/worklist").status_code == worklist
    if worklist == 403:
        assert browser.get("/smart/worklist/events").status_code == 403
    assert browser.get("/smart/audit").status_code == audit
    home = browser.get("/smart/").text
    assert ("Worklist</a>" in home, "Audit trail</a>" in home) == (worklist == 200, audit == 200)


class TestWorklist:
    def test_it_names_patients_whom_the_user_may_see(self, sign_in_as: As, browser: Browser) -> None:
        sign_in_as("radiologist")
        read = text(browser.get("/smart/worklist"))
        assert "Pneumothorax time-critical Siv Berg, MRN-4711" in read
        assert "Unread 1" in read

    def test_without_the_scope_it_names_nobody(self, sign_in_as: As, browser: Browser, ehr: Ehr) -> None:
        ehr.scope = "launch openid fhirUser patient/*.rs"
        sign_in_as("radiologist")
        page = browser.get("/smart/worklist")
        assert "Patient/p2" in text(page)
        assert "Berg" not in page.text
        assert "prescreen=" not in page.text

    def test_claim_release_and_done(self, sign_in_as: As, browser: Browser) -> None:
        sign_in_as("radiologist")
        for step, then in (("claim", "me"), ("release", "."), ("claim", "me")):
            answer = post(browser, browser.get("/smart/worklist"), "/smart/worklist", step=step)
            assert answer.status_code == 303
            assert re.search(rf"\d (min|h|d) {then} ", text(browser.get("/smart/worklist")))
        post(browser, browser.get("/smart/worklist"), "/smart/worklist", step="done")
        assert "Nothing waits." in text(browser.get("/smart/worklist"))
        assert "Pneumothorax" in text(browser.get("/smart/worklist", {"show": "done"}))

    @pytest.mark.parametrize(
        ("changed", "status"),
        [
            ({"csrf": ""}, 403),
            ({"step": "steal"}, 400),
            ({"version": "x"}, 400),
            ({"version": "7"}, 409),
            ({"item": "no-such"}, 400),
            ({"item": "\0"}, 400),
            ({"item": "3c4e28ba-2fa1-51d2-883f-0016d3cca427"}, 404),
        ],
    )
    def test_a_form_that_is_not_ours_moves_nothing(
        self, changed: dict[str, str], status: int, sign_in_as: As, browser: Browser
    ) -> None:
        sign_in_as("radiologist")
        page = browser.get("/smart/worklist")
        answer = post(browser, page, "/smart/worklist", **{"step": "claim", **changed})
        assert answer.status_code == status
        assert "Unread 1" in text(browser.get("/smart/worklist"))

    def test_an_administrator_looks_and_moves_nothing(self, sign_in_as: As, browser: Browser) -> None:
        sign_in_as("administrator")
        page = browser.get("/smart/worklist")
        assert "<form method" not in page.text
        assert post(browser, page, "/smart/worklist", step="claim").status_code == 403

    def test_each_patient_who_is_listed_is_told(
        self, sign_in_as: As, browser: Browser, database: Database, made: Prescreen
    ) -> None:
        sign_in_as("radiologist")
        browser.get("/smart/worklist")
        with database.transaction(made.tenant) as connection:
            last = events(connection, made.tenant)[-2:]
        assert [e["entity"][-1]["what"]["reference"] for e in last] == ["Patient/p2"] * 2
        assert "Berg" not in str(last)

    def test_a_radiologist_opens_what_waits(self, sign_in_as: As, browser: Browser, made: Prescreen) -> None:
        sign_in_as("radiologist")
        page = browser.get("/smart/", {"prescreen": made.id})
        assert "Siv Berg" in page.text
        assert "Pneumothorax: high probability" in text(page)

    def test_nobody_else_does(self, sign_in_as: As, browser: Browser, made: Prescreen) -> None:
        sign_in_as("clinician")
        page = browser.get("/smart/", {"prescreen": made.id})
        assert page.status_code == 403
        assert "Berg" not in page.text


class TestAuditTrail:
    def test_it_says_who_saw_what_about_whom(self, sign_in_as: As, browser: Browser, made: Prescreen) -> None:
        sign_in_as("auditor")
        read = text(browser.get("/smart/audit"))
        assert "Intact" in read
        assert re.search(r"created p2 DiagnosticReport/", read)
        assert "u1 sightline signed in" in read

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"patient": "p2"}, True),
            ({"patient": "Patient/p2"}, True),
            ({"patient": "p3"}, False),
            ({"kind": "create"}, True),
            ({"kind": "attest"}, False),
            ({"user": "u1"}, False),
            ({"since": "2020-01-01", "until": "2020-01-02"}, False),
            ({"since": "2020-01-01"}, True),
            ({"failed": "on"}, False),
        ],
    )
    def test_what_is_looked_for_is_found(
        self, wanted: dict[str, str], found: bool, sign_in_as: As, browser: Browser
    ) -> None:
        sign_in_as("auditor")
        answer = post(browser, browser.get("/smart/audit"), "/smart/audit", **wanted)
        assert ("created p2 DiagnosticReport/" in text(answer)) == found

    @pytest.mark.parametrize(
        "wanted", [{"patient": "a b"}, {"since": "yesterday"}, {"kind": "x"}, {"user": "u" * 257}]
    )
    def test_what_cannot_be_looked_for(self, wanted: dict[str, str], sign_in_as: As, browser: Browser) -> None:
        sign_in_as("auditor")
        assert post(browser, browser.get("/smart/audit"), "/smart/audit", **wanted).status_code == 400

    def test_reading_it_is_part_of_it(
        self, sign_in_as: As, browser: Browser, database: Database, made: Prescreen
    ) -> None:
        sign_in_as("auditor")
        post(browser, browser.get("/smart/audit"), "/smart/audit", patient="p2")
        with database.transaction(made.tenant) as connection:
            last = events(connection, made.tenant)[-1]
        assert last["subtype"][0]["code"] == "search-type"
        assert last["entity"][1]["what"]["reference"] == "Patient/p2"
        assert last["agent"][2]["who"]["identifier"]["value"] == "u1"

    def test_it_is_given_out_as_ndjson_and_csv(self, sign_in_as: As, browser: Browser) -> None:
        sign_in_as("auditor")
        page = browser.get("/smart/audit")
        lines = post(browser, page, "/smart/audit", **{"as": "ndjson"}).text.splitlines()
        assert {json.loads(line)["resourceType"] for line in lines} == {"AuditEvent"}
        table = post(browser, page, "/smart/audit", **{"as": "csv", "patient": "p2"})
        assert table.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert {row["patient"] for row in rows} == {"Patient/p2"}

    def test_no_cell_is_a_formula(self, sign_in_as: As, browser: Browser, ehr: Ehr) -> None:
        ehr.claims["sub"] = "=cmd|' /C calc'!A0"
        sign_in_as("auditor")
        table = post(browser, browser.get("/smart/audit"), "/smart/audit", **{"as": "csv"}).text
        users = {row["user"] for row in csv.DictReader(io.StringIO(table))}
        assert "'=cmd|' /C calc'!A0" in users
        assert not any(user.startswith("=") for user in users)

    def test_a_bent_chain_is_said(
        self, sign_in_as: As, browser: Browser, database: Database, made: Prescreen
    ) -> None:
        with database.transaction(made.tenant) as connection:
            connection.execute("UPDATE audit_head SET seq = seq + 1 WHERE tenant = %s", (made.tenant,))
        sign_in_as("auditor")
        assert "Broken" in text(browser.get("/smart/audit"))
