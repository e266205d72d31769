"""Acting on the page: who may sign, what a form must hold, and what is shown afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

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
from tests.smart.conftest import BASE, US, Browser, Ehr, registration, serving

SignIn = Callable[[], TestResponse]
Fill = Callable[..., TestResponse]

HIGH = {"verdict-pneumothorax": "agree", "verdict-effusion": "disagree", "reason-effusion": "An old scar."}


@pytest.fixture
def made(database: Database, tenant: str) -> Prescreen:
    """A prescreen that was reported."""
    made, trail = prescreen(tenant=tenant), Trail(party(US), OnBehalf())
    Record(database).write(tenant, trail, kept(made, trail), reported(made, trail))
    return made


@pytest.fixture
def fill(services: SmartServices, database: Database, made: Prescreen, browser: Browser, sign_in: SignIn) -> Fill:
    """Sign in at an EHR of that tenant, open the page, and send its form with what is filled in."""
    record = Record(database)
    browser.client.application = serving(
        replace(
            services,
            prescreens=record,
            on_event=record.event,
            registrations=Registrations([registration(tenant=made.tenant)]),
        )
    )

    def sent(filled: Mapping[str, str] = HIGH, *, path: str = "/smart/sign-off", **changed: str) -> TestResponse:
        sign_in()
        page = browser.get("/smart/").text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        return browser.client.post(path, data={**hidden, **filled, **changed}, base_url=US)

    return sent


def page(browser: Browser) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", browser.get("/smart/").text).split())


def test_a_signed_report_says_who_signed_and_what(fill: Fill, browser: Browser) -> None:
    answer = fill(comment="Compared with 2024.")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/smart/?prescreen=")
    read = page(browser)
    assert "Final Signed by Practitioner/u1" in read
    assert "Compared with 2024." in read
    assert "Amend the report" in read
    assert "Pneumothorax: present, says the clinician" in read


def test_what_the_clinician_refutes_is_not_the_headline_any_more(fill: Fill, browser: Browser) -> None:
    fill(**{"verdict-pneumothorax": "disagree", "reason-pneumothorax": "A skin fold."})
    read = page(browser)
    assert "Pneumothorax: not present, says the clinician A skin fold. Computed 93 %" in read
    assert "high probability 93 %" not in read


def test_what_nobody_can_have_meant_is_left_out(fill: Fill, browser: Browser) -> None:
    assert fill(comment="Seen\0 with\x1b[1m me.").status_code == 303
    assert "Seen with[1m me." in page(browser)


def test_the_act_is_in_the_audit_trail(fill: Fill, database: Database, made: Prescreen) -> None:
    fill()
    with database.transaction(made.tenant) as connection:
        told = events(connection, made.tenant)
    (attested,) = [event for event in told if event["subtype"][-1]["code"] == "attest"]
    assert attested["agent"][2]["who"]["identifier"]["value"] == "u1"
    assert "scar" not in str(told)


def test_a_form_that_is_sent_twice_signs_once(fill: Fill, browser: Browser) -> None:
    act = {"act": "7b4e28ba-2fa1-41d2-883f-0016d3cca427", "version": "1"}
    assert fill(**act).status_code == 303
    assert fill(**act).status_code == 303
    assert "Final" in page(browser)


def test_who_decided_on_an_older_version_is_told(fill: Fill) -> None:
    fill()
    answer = fill(version="1")
    assert answer.status_code == 409
    assert "It has changed meanwhile" in answer.text


@pytest.mark.parametrize(
    ("filled", "fault"),
    [
        ({}, "Pneumothorax: choose whether you agree."),
        (HIGH | {"verdict-effusion": "perhaps"}, "Pleural effusion: choose whether you agree."),
        (HIGH | {"reason-effusion": " "}, "Pleural effusion: say why you disagree"),
        (HIGH | {"reason-effusion": "x" * 501}, "Pleural effusion: say why you disagree"),
        (HIGH | {"comment": "x" * 4001}, "The comment may have up to 4000 letters."),
    ],
)
def test_a_form_that_is_not_whole_comes_back_with_what_was_filled_in(
    filled: dict[str, str], fault: str, fill: Fill, browser: Browser
) -> None:
    answer = fill({**filled, "comment": filled.get("comment", "Mine.")})
    assert answer.status_code == 422
    assert fault in answer.text
    assert filled.get("comment", "Mine.") in answer.text
    assert '<input type="radio" form="sign" name="verdict-mass" value="agree">' in answer.text
    assert "No clinician has signed it." in page(browser)


@pytest.mark.parametrize("token", ["", "0" * 64, "ä"])
def test_a_form_from_elsewhere_signs_nothing(token: str, fill: Fill, browser: Browser) -> None:
    assert fill(csrf=token).status_code == 403
    assert "No clinician has signed it." in page(browser)


@pytest.mark.parametrize("changed", [{"act": "1"}, {"version": ""}, {"version": "1.5"}])
def test_a_form_that_names_no_report_signs_nothing(changed: dict[str, str], fill: Fill) -> None:
    assert fill(**changed).status_code == 400


class TestWhoMaySign:
    def test_not_without_the_right_to_write(self, fill: Fill, ehr: Ehr, browser: Browser) -> None:
        ehr.scope = "launch openid fhirUser patient/*.rs"
        answer = fill(csrf="")
        assert answer.status_code == 403
        assert "/smart/sign-off" not in browser.get("/smart/").text

    @pytest.mark.parametrize("who", ["Patient/p1", "RelatedPerson/r1"])
    def test_not_who_is_no_practitioner(
        self, who: str, fill: Fill, made: Prescreen, ehr: Ehr, browser: Browser
    ) -> None:
        ehr.claims["fhirUser"] = who
        assert fill(prescreen=made.id).status_code == 403
        assert "/smart/sign-off" not in browser.get("/smart/").text

    def test_a_radiologist_by_the_registration(
        self, services: SmartServices, fill: Fill, ehr: Ehr, browser: Browser, made: Prescreen
    ) -> None:
        roles: Any = {"radiologist": {"groups": ["radiology"]}}
        known = Registrations([registration(tenant=made.tenant, roles=roles)])
        app = browser.client.application
        assert app is not None
        ehr.scope, ehr.claims["groups"] = "launch openid fhirUser patient/*.rs", ["radiology", "staff"]
        record = Record(services.sign_offs._database)
        browser.client.application = serving(
            replace(services, prescreens=record, on_event=record.event, registrations=known)
        )
        assert fill().status_code == 303


class TestSavedWithoutSigning:
    """What a clinician thinks of findings is kept, shown again, amended, and signed or not."""

    SAID: Mapping[str, str] = {"verdict-effusion": "disagree", "reason-effusion": "An old scar."}

    @pytest.fixture
    def save(self, fill: Fill) -> Fill:
        return partial(fill, path="/smart/judgement")

    def test_it_is_shown_again_and_the_report_is_as_it_was(self, save: Fill, browser: Browser) -> None:
        assert save(self.SAID, comment="Ask again.").status_code == 303
        shown = browser.get("/smart/").text
        assert re.search(r'name="verdict-effusion" value="disagree" checked', shown)
        assert 'value="An old scar."' in shown
        assert ">Ask again.</textarea>" in shown
        read = page(browser)
        assert "You saved this" in read
        assert "Preliminary No clinician has signed it." in read

    def test_it_is_amended_by_saying_it_again(self, save: Fill, browser: Browser) -> None:
        save(self.SAID)
        save({"verdict-effusion": "agree"})
        shown = browser.get("/smart/").text
        assert re.search(r'name="verdict-effusion" value="agree" checked', shown)
        assert "An old scar." not in shown

    def test_each_time_is_in_the_audit_trail_and_the_same_sent_twice_once(
        self, save: Fill, database: Database, made: Prescreen
    ) -> None:
        act = str(uuid4())
        for sent in (act, act, str(uuid4())):
            save(self.SAID, act=sent)
        with database.transaction(made.tenant) as connection:
            told = [event for event in events(connection, made.tenant) if "judgement" in str(event["entity"])]
        assert len(told) == 2
        assert [agent["who"]["identifier"]["value"] for agent in told[0]["agent"] if agent["requestor"]] == ["u1"]
        assert "scar" not in str(told)

    def test_signing_takes_it_over(self, save: Fill, fill: Fill, browser: Browser) -> None:
        save(self.SAID)
        fill()
        read = page(browser)
        assert "Final Signed by Practitioner/u1" in read
        assert "You saved this" not in read

    def test_a_colleague_sees_it(self, save: Fill, browser: Browser, ehr: Ehr) -> None:
        save(self.SAID, comment="Ask again.")
        ehr.claims = {"fhirUser": f"{BASE}/Practitioner/u2", "sub": "u2"}
        browser.callback(ehr.authorize(browser.launch().headers["Location"]))
        read = page(browser)
        assert "Said, and not signed Practitioner/u1" in read
        assert "Pleural effusion: disagree, An old scar. Ask again." in read
        assert "You saved this" not in read

    def test_who_may_not_sign_may_say_it(self, save: Fill, browser: Browser, ehr: Ehr) -> None:
        ehr.scope = "openid fhirUser patient/Patient.r patient/ImagingStudy.rs patient/DocumentReference.rs"
        assert save(self.SAID).status_code == 303
        shown = browser.get("/smart/").text
        assert "Save without signing" in shown
        assert ">Sign<" not in shown

    @pytest.mark.parametrize("claims", [{"fhirUser": f"{BASE}/Patient/p1"}, {"fhirUser": None}])
    def test_who_is_no_clinician_may_not(self, claims: dict[str, Any], save: Fill, ehr: Ehr) -> None:
        ehr.claims = claims
        assert save(self.SAID, act=str(uuid4()), prescreen=prescreen().id).status_code == 403

    @pytest.mark.parametrize(
        ("filled", "said"),
        [
            ({}, "Choose whether you agree with at least one finding"),
            ({"verdict-effusion": "disagree"}, "Pleural effusion: say why you disagree"),
            ({"comment": "x" * 4001}, "The comment may have up to 4000 letters."),
        ],
    )
    def test_what_is_not_whole_is_shown_again(self, filled: dict[str, str], said: str, save: Fill) -> None:
        answer = save(filled)
        assert answer.status_code == 422
        assert said in answer.text

    @pytest.mark.parametrize("changed", [{"csrf": ""}, {"act": "x"}, {"prescreen": str(UUID(int=9))}])
    def test_a_form_that_is_not_ours_changes_nothing(
        self, changed: dict[str, str], save: Fill, browser: Browser
    ) -> None:
        assert save(self.SAID, **changed).status_code in (400, 403, 404)
        assert "You saved this" not in page(browser)
