"""What a clinician gets for each kind of order, from the EHR's call to the card and its feedback."""

from __future__ import annotations

import json
import uuid
from typing import Any

from cds.sandbox.ehr import suggestions
from cds.sandbox.ehr.feedback import overridden
from cds.sandbox.ehr.ordering import HookExchange
from cds.sandbox.patients import SamplePatient
from tests.hospital import Hospital
from tests.whole.test_work_ahead import call

KNEE = {
    "resourceType": "ServiceRequest",
    "id": "knee",
    "status": "draft",
    "intent": "order",
    "code": {"text": "XR knee left 2 views"},
}
PILL = {"resourceType": "MedicationRequest", "id": "pill", "status": "draft", "intent": "order"}


def sign(hospital: Hospital, patient: SamplePatient, *orders: dict[str, Any]) -> HookExchange:
    user = patient.order["requester"]["reference"]
    exchange = hospital.desk.service.sign_order(patient.id, orders or (patient.order,), user=user)
    assert exchange.problem == ""
    return exchange


def topics(exchange: HookExchange) -> list[str]:
    return [card["source"]["topic"]["code"] for card in exchange.cards]


def test_a_film_of_yesterday_ordered_again_is_a_duplicate_whose_draft_can_go(hospital: Hospital) -> None:
    patient = hospital.patient("worrying-note")
    card = next(card for card in sign(hospital, patient).cards if "Possible duplicate" in card["summary"])
    assert card["indicator"] == "info"
    assert suggestions.apply([patient.order], card["suggestions"][0]["actions"]) == []


def test_a_film_of_last_month_is_none(hospital: Hospital) -> None:
    assert sign(hospital, hospital.patient("normal")).cards == []


def test_the_film_that_showed_it_may_be_ordered_again(hospital: Hospital) -> None:
    assert topics(sign(hospital, hospital.patient("pneumothorax"))) == ["pneumothorax"]


def test_an_effusion_calls_for_an_ultrasound_once(hospital: Hospital) -> None:
    patient = hospital.newcomer("effusion-j2k")
    (card,) = sign(hospital, patient).cards
    (suggestion,) = card["suggestions"]
    drafts = suggestions.apply([patient.order], suggestion["actions"])
    assert [draft["code"]["coding"][0]["code"] for draft in drafts][1:] == ["24630-6"]
    (again,) = sign(hospital, patient, *drafts).cards
    assert "suggestions" not in again


def test_another_order_is_interrupted_only_for_what_cannot_wait(hospital: Hospital) -> None:
    (card,) = sign(hospital, hospital.newcomer("pneumothorax"), KNEE).cards
    assert card["indicator"] == "critical"
    assert "suggestions" not in card
    assert sign(hospital, hospital.newcomer("effusion-j2k"), KNEE).cards == []


def test_an_order_signed_before_gets_advice_and_no_change(hospital: Hospital) -> None:
    patient = hospital.newcomer("pneumothorax")
    (card,) = sign(hospital, patient, {**patient.order, "status": "active"}).cards
    assert card["indicator"] == "critical"
    assert "suggestions" not in card


def test_nothing_is_computed_for_medication_alone(hospital: Hospital) -> None:
    patient = hospital.newcomer("pneumothorax")
    exchange = sign(hospital, patient, PILL)
    assert exchange.cards == []
    assert exchange.answer is not None
    assert exchange.answer.steps == {}


class TestOverride:
    """CDS Hooks 2.0, "Feedback"."""

    def test_holds_at_every_hook(self, hospital: Hospital) -> None:
        patient = hospital.newcomer("pneumothorax")
        (card,) = sign(hospital, patient).cards
        assert tell(hospital, card) == 200
        assert sign(hospital, patient).cards == []
        assert call(hospital, "patient-view", patient).cards == []
        assert call(hospital, "encounter-start", patient, encounterId=f"{patient.id}-encounter").cards == []

    def test_of_a_duplicate_holds_as_well(self, hospital: Hospital) -> None:
        patient = hospital.newcomer("worrying-note")
        for card in sign(hospital, patient).cards:
            assert tell(hospital, card) == 200
        assert sign(hospital, patient).cards == []


def tell(hospital: Hospital, card: dict[str, Any]) -> int:
    entry = overridden(card["uuid"], reason=card["overrideReasons"][0])
    return hospital.desk.service.feedback([entry]).status


def test_the_same_call_sent_twice_gets_the_same_card(hospital: Hospital) -> None:
    """CDS Hooks 2.0, "hookInstance": an EHR that lost the answer may ask again."""
    from tests.whole.test_refusals import post

    first = sign(hospital, hospital.patient("pneumothorax"))
    token = hospital.desk.service._hook_request("order-sign", first.request["context"])["fhirAuthorization"]
    body = {**first.request, "fhirAuthorization": token}
    again = post(hospital, json.loads(json.dumps(body))).get_json(force=True)
    assert [card["uuid"] for card in again["cards"]] == [card["uuid"] for card in first.cards]
    assert uuid.UUID(first.cards[0]["uuid"]).version == 5
