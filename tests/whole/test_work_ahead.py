"""The hooks before signing: a chart is opened, an encounter starts, an order is selected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds.sandbox.ehr.ordering import HookExchange, order_context
from cds.sandbox.patients import SamplePatient
from tests.hospital import Hospital


def call(hospital: Hospital, hook: str, patient: SamplePatient, **context: Any) -> HookExchange:
    who = {"userId": patient.order["requester"]["reference"], "patientId": patient.id}
    return hospital.desk.service.call(hook, who | context, service=f"imaging-{hook}")


def start_encounter(hospital: Hospital, patient: SamplePatient) -> HookExchange:
    return call(hospital, "encounter-start", patient, encounterId=f"{patient.id}-encounter")


def sign(hospital: Hospital, patient: SamplePatient) -> HookExchange:
    user = patient.order["requester"]["reference"]
    return hospital.desk.service.sign_order(patient.id, [patient.order], user=user)


def steps(exchange: HookExchange) -> set[str]:
    """What was done for an answer, as its ``Server-Timing`` tells."""
    assert exchange.answer is not None
    return set(exchange.answer.steps)


SCORING = {"fetch-and-decode-image", "score-image", "de-identify", "score-notes"}


def test_without_work_ahead_signing_does_it_all(hospital: Hospital) -> None:
    assert steps(sign(hospital, hospital.newcomer("pneumothorax"))) >= SCORING


@pytest.mark.parametrize("hook", ["patient-view", "encounter-start"])
def test_after_work_ahead_signing_finds_image_and_notes_scored(hook: str, hospital: Hospital) -> None:
    patient = hospital.newcomer("pneumothorax")
    exchange = call(hospital, hook, patient, encounterId=f"{patient.id}-encounter")
    assert exchange.problem == ""
    signed = sign(hospital, patient)
    assert steps(signed).isdisjoint(SCORING)
    assert [card["indicator"] for card in signed.cards] == ["critical"]


class TestPatientView:
    def test_names_what_is_outstanding_in_one_card_without_an_order_to_change(self, hospital: Hospital) -> None:
        (card,) = call(hospital, "patient-view", hospital.newcomer("pneumothorax")).cards
        assert card["indicator"] == "critical"
        assert "Pneumothorax: high probability" in card["summary"]
        assert "suggestions" not in card

    def test_says_nothing_of_a_patient_without_findings(self, hospital: Hospital) -> None:
        exchange = call(hospital, "patient-view", hospital.patient("normal"))
        assert (exchange.problem, exchange.cards) == ("", [])

    def test_takes_feedback_of_its_own_cards(self, hospital: Hospital) -> None:
        (card,) = call(hospital, "patient-view", hospital.newcomer("pneumothorax")).cards
        entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-11-22T09:30:10Z"}
        tell = hospital.desk.service.feedback
        assert tell([entry], service="imaging-patient-view").status == 200
        assert tell([entry], service="imaging-prescreen").status == 404


class TestEncounterStart:
    def test_interrupts_only_for_what_was_known_before(self, hospital: Hospital) -> None:
        patient = hospital.newcomer("pneumothorax")
        assert start_encounter(hospital, patient).cards == []
        (card,) = start_encounter(hospital, patient).cards
        assert card["indicator"] == "critical"

    def test_is_refused_for_a_patient_whom_the_ehr_does_not_know(self, hospital: Hospital) -> None:
        stranger = replace(hospital.patient("pneumothorax"), id="nobody")
        exchange = start_encounter(hospital, stranger)
        assert exchange.answer is not None
        assert exchange.answer.status == 412


class TestOrderSelect:
    def select(self, hospital: Hospital, *selections: str) -> HookExchange:
        patient = hospital.patient("pneumothorax")
        orders = [
            {**patient.order, "id": id, "status": "draft", "priority": "routine", "occurrenceDateTime": day}
            for id, day in (("o1", "2026-11-22"), ("o2", "2026-11-23"))
        ]
        pill = {"resourceType": "MedicationRequest", "id": "m1", "status": "draft", "intent": "order"}
        context = order_context(patient.id, [*orders, pill], user=patient.order["requester"]["reference"])
        service = "imaging-order-select"
        return hospital.desk.service.call("order-select", context | {"selections": selections}, service=service)

    def test_advises_on_the_selected_order_alone(self, hospital: Hospital) -> None:
        (card,) = self.select(hospital, "ServiceRequest/o2").cards
        assert card["indicator"] == "critical"
        changed = [action["resource"]["id"] for s in card["suggestions"] for action in s["actions"]]
        assert changed == ["o2"]

    @pytest.mark.parametrize("selections", [(), ("MedicationRequest/m1",)])
    def test_has_nothing_to_say_of_other_orders(self, selections: tuple[str, ...], hospital: Hospital) -> None:
        exchange = self.select(hospital, *selections)
        assert (exchange.problem, exchange.cards) == ("", [])

    def test_refuses_a_selection_that_is_no_draft_order(self, hospital: Hospital) -> None:
        exchange = self.select(hospital, "ServiceRequest/o3")
        assert exchange.answer is not None
        assert exchange.answer.status == 400
