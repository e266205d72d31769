"""What a clinician expects of each kind of order (order-sign and order-select 1.0, "Context": draftOrders)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.findings import Finding, Level
from cds.hooks.discovery import IMAGING_PRESCREEN
from cds.hooks.duplicates import studies
from cds.hooks.follow_up import FOLLOW_UPS
from cds.hooks.order_advice import OrderAdvice, OrdersAtHand
from tests.hooks.calling import BASE, BLOOD, KNEE, REFERRAL, call, named, order, study
from tests.hooks.test_request import json_values
from tests.prescreens import DOUBT, EFFUSION, MASS, PACS_DOWN, PNEUMOTHORAX, in_doubt, prescreen

HIGH_MASS = Finding("mass", 0.9, Level.HIGH, image=0.9)
UNSURE_PNEUMOTHORAX = Finding("pneumothorax", 0.5, Level.REVIEW, image=0.5)
TWO_DAYS = timedelta(hours=48)
PILL = {"resourceType": "MedicationRequest", "id": "m1", "status": "draft", "intent": "order"}


def at_hand(
    *orders: dict[str, Any],
    found: tuple[Finding, ...] = (PNEUMOTHORAX,),
    drafts: tuple[dict[str, Any], ...] = (),
    done: tuple[dict[str, Any], ...] = (),
    encounter: str | None = None,
    user: str = "Practitioner/example",
    **changes: Any,
) -> OrdersAtHand:
    asked = call("general", IMAGING_PRESCREEN, *(drafts or orders), encounter=encounter, user=user)
    return OrdersAtHand(asked, prescreen(findings=found, **changes), orders, studies(done))


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ((order(),), ["pneumothorax", "mass", "effusion"]),
        ((order(code={"text": "Imaging"}),), ["pneumothorax", "mass", "effusion"]),
        ((KNEE,), ["pneumothorax"]),
        ((BLOOD,), ["pneumothorax"]),
        ((REFERRAL,), ["pneumothorax"]),
        ((BLOOD, order()), ["pneumothorax", "mass", "effusion"]),
        ((order(status="active"),), ["pneumothorax", "mass", "effusion"]),
    ],
    ids=["chest", "imaging of who knows what", "knee", "blood test", "referral", "several", "signed before"],
)
def test_which_findings_are_worth_saying(orders: tuple[dict[str, Any], ...], said: list[str]) -> None:
    found = (PNEUMOTHORAX, HIGH_MASS, EFFUSION)
    assert [finding.key for finding in at_hand(*orders, found=found).findings()] == said


HEAD_CT = named("CT head without contrast", id="head")
FRACTURE = Finding("skull_fracture", 0.9, Level.HIGH, image=0.9)
HEMORRHAGE = Finding("hemorrhage", 0.9, Level.HIGH, image=0.9)


class TestACt:
    """Of the head, looked at because one is ordered."""

    def test_its_findings_are_said_to_whoever_images_the_head(self) -> None:
        found = (HEMORRHAGE, FRACTURE, HIGH_MASS)
        assert [f.key for f in at_hand(HEAD_CT, found=found).findings()] == ["hemorrhage", "skull_fracture"]
        assert [f.key for f in at_hand(order(), found=found).findings()] == ["hemorrhage", "mass"]

    def test_what_cannot_wait_makes_it_stat(self) -> None:
        assert at_hand(HEAD_CT, found=(HEMORRHAGE,)).suggestions(HEMORRHAGE)
        assert not at_hand(order(), found=(HEMORRHAGE,)).suggestions(HEMORRHAGE)

    def test_that_it_could_not_be_seen_is_said_though_notes_speak_of_the_chest(self) -> None:
        lacking = {"found": (EFFUSION,), "missing": (replace(PACS_DOWN, region="head"),)}
        assert len(list(at_hand(HEAD_CT, **lacking).nothing_seen())) == 1
        assert list(at_hand(order(), **lacking).nothing_seen()) == []

    def test_the_one_that_bled_may_be_ordered_again(self) -> None:
        yesterday = (datetime.now(UTC) - timedelta(hours=20)).isoformat()
        done = study(modality=[{"code": "CT"}], description="CT HEAD WO", started=yesterday, series=[])
        window = timedelta(hours=48)
        assert len(list(at_hand(HEAD_CT, found=(HIGH_MASS,), done=(done,)).duplicates(window))) == 1
        assert list(at_hand(HEAD_CT, found=(HEMORRHAGE,), done=(done,)).duplicates(window)) == []


@pytest.mark.parametrize("other", [KNEE, BLOOD, REFERRAL])
def test_what_is_uncertain_does_not_interrupt_another_order(other: dict[str, Any]) -> None:
    assert at_hand(other, found=(UNSURE_PNEUMOTHORAX, EFFUSION)).findings() == []


def test_that_nothing_could_be_seen_is_said_to_whoever_images_the_chest() -> None:
    nothing = {"found": (), "missing": (PACS_DOWN,)}
    assert len(list(at_hand(order(), **nothing).nothing_seen())) == 1
    assert list(at_hand(KNEE, BLOOD, **nothing).nothing_seen()) == []


def test_a_film_in_doubt_that_nothing_was_found_on_is_said_to_whoever_images_the_chest() -> None:
    advice = OrdersAtHand(call("general", IMAGING_PRESCREEN, order()), in_doubt(findings=(MASS,)), (order(),), ())
    (said,) = advice.film_in_doubt(lambda _: {"label": "See why"})
    assert said.card["summary"] == f"AI prescreen: {DOUBT}"
    assert said.card["indicator"] == "info"
    found = replace(advice, prescreen=in_doubt(findings=(EFFUSION,)))
    other = replace(advice, orders=(KNEE,))
    assert not [*found.film_in_doubt(lambda _: {}), *other.film_in_doubt(lambda _: {})]


@pytest.mark.parametrize(
    "unasked",
    [
        [],
        [PILL],
        [order(status="revoked")],
        [order(status="entered-in-error"), PILL],
        [order(doNotPerform=True)],
        [order(subject={"reference": "Patient/p2"})],
        [order(subject={"reference": f"{BASE}/Patient/p2/_history/1"})],
        [order(subject={"reference": "Group/p1"})],
    ],
    ids=[
        "no order",
        "medication",
        "revoked",
        "mistaken",
        "not to be done",
        "another's",
        "another's in full",
        "a group's",
    ],
)
def test_nothing_is_computed_for_what_is_no_order_of_a_service(unasked: list[dict[str, Any]]) -> None:
    never = OrderAdvice(None, None, None)  # type: ignore[arg-type]
    assert never(call(), unasked).cards == []


@pytest.mark.parametrize(
    "subject",
    [{"reference": f"{BASE}/Patient/p1"}, {"reference": "urn:uuid:1"}, {"reference": "http://["}, {}, None],
)
def test_an_order_whose_subject_may_be_ours_is_looked_at(subject: dict[str, Any] | None) -> None:
    """Drafts need not resolve on the server ("Context": draftOrders)."""
    assert at_hand(order(subject=subject)).suggestions(PNEUMOTHORAX)
    assert len(list(at_hand(order("a", subject=subject), order("b", subject=subject)).duplicates(TWO_DAYS))) == 1


def test_an_order_that_a_bundle_lists_twice_is_one_order() -> None:
    """To remove the second by its id would remove both."""
    assert list(at_hand(order(), order()).duplicates(TWO_DAYS)) == []


class TestStat:
    """ "Action": an update holds the whole resource."""

    def test_is_offered_for_each_draft_that_images_the_chest_and_can_wait(self) -> None:
        drafts = (order("a"), KNEE, order("b"), order("urgent", priority="urgent"), BLOOD)
        suggested = at_hand(*drafts).suggestions(PNEUMOTHORAX)
        resources = [action["resource"] for one in suggested for action in one["actions"]]
        assert resources == [order("a", priority="stat"), order("b", priority="stat")]
        assert all(one["isRecommended"] for one in suggested)

    def test_says_which_order(self) -> None:
        named_twice = order("ap", code={"text": "XR Chest\nAP", "coding": [{"display": "XR Chest AP"}]})
        unnamed = {"coding": [{"system": "http://loinc.org", "code": "36643-5"}]}
        suggested = at_hand(order(), named_twice, order("n", code=unnamed)).suggestions(PNEUMOTHORAX)
        assert [one["label"] for one in suggested] == [
            "Change to STAT: XR Chest 2 Views",
            "Change to STAT: XR Chest AP",
            "Change to STAT: this order",
        ]

    def test_orders_of_one_name_are_one_suggestion(self) -> None:
        """Two that read alike would leave a clinician to guess which is which."""
        (suggested,) = at_hand(order("a"), order("b", occurrenceDateTime="2026-11-23")).suggestions(PNEUMOTHORAX)
        assert suggested["label"] == "Change to STAT: XR Chest 2 Views (2 orders)"
        assert [action["resource"]["id"] for action in suggested["actions"]] == ["a", "b"]

    def test_is_not_offered_for_an_order_that_has_no_id(self) -> None:
        """Of what an update without one is, nobody could tell."""
        assert at_hand(order(None)).suggestions(PNEUMOTHORAX) == []

    def test_an_order_that_says_no_priority_is_routine(self) -> None:
        assert len(at_hand(order(priority=None)).suggestions(PNEUMOTHORAX)) == 1

    @pytest.mark.parametrize("status", ["active", "completed", "on-hold", 5])
    def test_is_not_offered_for_what_is_no_draft(self, status: object) -> None:
        assert at_hand(order(status=status)).suggestions(PNEUMOTHORAX) == []

    @pytest.mark.parametrize("finding", [UNSURE_PNEUMOTHORAX, Finding("pneumonia", 0.9, Level.HIGH, image=0.9)])
    def test_is_not_offered_for_what_can_wait(self, finding: Finding) -> None:
        assert at_hand(order()).suggestions(finding) == []


class TestFollowUp:
    """ "Action": a create holds the whole resource that is to be made."""

    def test_is_a_whole_draft(self) -> None:
        (suggestion,) = at_hand(order(), found=(HIGH_MASS,), encounter="e1").suggestions(HIGH_MASS)
        (action,) = suggestion["actions"]
        assert action["type"] == "create"
        assert "ACCP" in action["description"]
        assert action["description"].endswith("Pregnancy, kidney function and allergies were not looked at.")
        draft = action["resource"]
        assert (draft["resourceType"], draft["status"], draft["intent"]) == ("ServiceRequest", "draft", "order")
        assert draft["subject"] == {"reference": "Patient/p1"}
        assert draft["encounter"] == {"reference": "Encounter/e1"}
        assert draft["requester"] == {"reference": "Practitioner/example"}
        assert {coding["code"] for coding in draft["code"]["coding"]} == {"24628-0", "169069000"}
        assert draft["reasonCode"][0]["coding"][0]["code"] == HIGH_MASS.type.snomed

    def test_is_a_resource_of_fhir_r4(self) -> None:
        from fhir.resources.R4B.servicerequest import ServiceRequest

        for key, follow_up in FOLLOW_UPS.items():
            finding = Finding(key, 0.9, Level.HIGH)
            ServiceRequest.model_validate(
                follow_up.order(finding, "Patient/p1", call(encounter="e1").hook.context)
            )

    def test_names_no_encounter_or_requester_that_there_is_none_of(self) -> None:
        (suggestion,) = at_hand(order(), user="Patient/p1").suggestions(HIGH_MASS)
        assert {"encounter", "requester"}.isdisjoint(suggestion["actions"][0]["resource"])

    @pytest.mark.parametrize("finding", [EFFUSION, Finding("mass", 0.5, Level.REVIEW), PNEUMOTHORAX])
    def test_is_called_for_by_what_is_high_and_in_the_table_alone(self, finding: Finding) -> None:
        creates = [
            action
            for one in at_hand(order(priority="stat")).suggestions(finding)
            for action in one["actions"]
            if action["type"] == "create"
        ]
        assert creates == []

    @pytest.mark.parametrize("status", ["draft", "active"])
    def test_is_not_said_of_what_is_ordered_already(self, status: str) -> None:
        for text in ("CT chest with contrast", "CT chest, abdomen and pelvis"):
            ordered = named(text, id="ct", status=status)
            assert at_hand(order(), drafts=(order(), ordered)).suggestions(HIGH_MASS) == []

    def test_is_not_said_of_what_was_done_since_the_film(self) -> None:
        ct = study("ct", modality=[{"code": "CT"}], description="CT CHEST", started="2026-11-21")
        assert at_hand(order(), done=(ct,)).suggestions(HIGH_MASS) == []
        assert len(at_hand(order(), done=({**ct, "started": "2026-11-01"},)).suggestions(HIGH_MASS)) == 1


@given(st.sampled_from([*sorted(order()), "note", "reasonCode", "bodySite", "doNotPerform"]), json_values)
def test_whatever_an_order_holds_is_read(field: str, value: Any) -> None:
    """Whatever is of another shape than FHIR's reads as not there."""
    odd = order(**{field: value})
    hand = at_hand(odd, order("b"), done=(study(started=datetime.now(UTC).isoformat()),), found=(HIGH_MASS,))
    hand.findings()
    hand.suggestions(PNEUMOTHORAX)
    list(hand.duplicates(timedelta(hours=48)))


def test_a_bundle_that_nobody_signs_at_once_is_looked_at_in_part() -> None:
    many = at_hand(*(order(f"o{number}") for number in range(5000)))
    assert len(list(many.duplicates(timedelta(hours=48)))) < 100
