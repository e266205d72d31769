"""The main job: an EHR signs an order; cards, a preliminary report and an audit trail come of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydicom.uid import EnhancedSRStorage, SecondaryCaptureImageStorage

from cds.audit.verify import verify
from cds.reporting.record import Record
from cds.sandbox.ehr import chart
from cds.store.sealed_tables import AUDIT_EVENT, CARD, OUTBOX, PRESCREEN, RESOURCE, SCORE, SealedTable
from tests.hospital import TENANT, Hospital
from tests.opened import bodies, events


def test_a_pneumothorax_is_a_critical_card_that_offers_stat(hospital: Hospital) -> None:
    exchange = hospital.sign("pneumothorax")
    assert exchange.problem == ""
    (card,) = exchange.cards
    assert card["indicator"] == "critical"
    assert "Pneumothorax" in card["summary"]
    (action,) = card["suggestions"][0]["actions"]
    assert action["resource"]["priority"] == "stat"


def test_every_film_is_scored_in_the_right_direction(hospital: Hospital) -> None:
    """A film that shows a finding scores at least twice as high for it as any that does not."""
    image: dict[str, dict[str, float]] = {}
    for patient in hospital.patients.values():
        if patient.instances and patient.fault is None:
            hospital.sign(patient.id)
            image[patient.id] = {f.key: f.image for f in latest(hospital, patient.id).findings}
    shown = {(id, key) for id in image for key, said in hospital.patients[id].expected.items() if said == "high"}
    for id, key in shown:
        others = [image[other][key] for other in image if (other, key) not in shown]
        assert image[id][key] > 2 * max(others), (id, key)
        assert image[id][key] > 0.3, (id, key)


def test_the_same_order_signed_again_is_the_same_prescreen(hospital: Hospital) -> None:
    first, second = (hospital.sign("pneumonia") for _ in range(2))
    with hospital.database.transaction(TENANT) as connection:
        found = connection.execute(
            "SELECT count(*) FROM prescreen WHERE patient = %s",
            (connection.sealer.blind(f"Patient/{hospital.patient('pneumonia').id}"),),
        ).fetchone()
    assert found == (1,)
    assert [card["summary"] for card in first.cards] == [card["summary"] for card in second.cards]


def test_a_pacs_that_fails_is_said_and_the_notes_still_speak(hospital: Hospital) -> None:
    faulty = next(patient for patient in hospital.patients.values() if patient.fault)
    hospital.sign(faulty.id)
    prescreen = latest(hospital, faulty.id)
    assert [missing.part for missing in prescreen.missing] == ["image"]
    assert "503" in prescreen.missing[0].reason
    assert all(finding.image is None for finding in prescreen.findings)
    assert prescreen.notes


def test_a_note_is_read_in_each_of_its_formats(hospital: Hospital) -> None:
    formats = next(p for p in hospital.patients.values() if "PDF" in p.story)
    hospital.sign(formats.id)
    prescreen = latest(hospital, formats.id)
    assert len(prescreen.notes) == 4
    assert prescreen.missing == ()


def test_the_sentences_behind_a_finding_are_kept_without_names_and_with_their_place(hospital: Hospital) -> None:
    hospital.sign("pneumothorax")
    prescreen = latest(hospital, "pneumothorax")
    carried = next(e for e in prescreen.evidence if e.finding == "pneumothorax")
    assert carried.probability >= 0.85
    assert carried.place.note in {note.digest for note in prescreen.notes}


def test_the_frontal_view_is_chosen_and_the_lateral_named(hospital: Hospital) -> None:
    hospital.sign("pneumonia")
    study = latest(hospital, "pneumonia").study
    assert study is not None
    assert study.view in ("PA", "AP")
    assert study.passed_over


def test_a_study_that_names_no_endpoint_is_looked_for_in_the_registered_pacs(hospital: Hospital) -> None:
    patient = hospital.newcomer("pneumothorax")
    (study,) = (entry for entry in patient.bundle["entry"] if entry["resource"]["resourceType"] == "ImagingStudy")
    del study["resource"]["endpoint"]
    hospital.sandbox.records.transaction({**patient.bundle, "entry": [study]})
    hospital.sign(patient)
    seen = latest(hospital, patient.id)
    assert seen.missing == ()
    assert seen.study.study_uid == study["resource"]["identifier"][0]["value"].removeprefix("urn:oid:")


def latest(hospital: Hospital, patient: str) -> Any:
    prescreen = Record(hospital.database).latest(TENANT, hospital.sandbox.fhir_base, f"Patient/{patient}")
    assert prescreen is not None
    return prescreen


@pytest.mark.parametrize(
    "table", [SCORE, PRESCREEN, RESOURCE, CARD, AUDIT_EVENT, OUTBOX], ids=lambda table: table.name
)
def test_no_name_of_a_patient_is_kept_even_sealed(table: SealedTable, hospital: Hospital) -> None:
    for patient in hospital.patients.values():
        hospital.sign(patient.id)
    hospital.work()
    with hospital.database.transaction(TENANT) as connection:
        kept = " ".join(map(str, bodies(connection, table)))
    assert kept
    names = {part for patient in hospital.patients.values() for part in re.split(r"[ -]", patient.name)}
    assert {name for name in names if len(name) > 3 and re.search(rf"\b{name}\b", kept)} == set()


def test_the_audit_trail_names_reads_inference_and_call_and_holds(hospital: Hospital) -> None:
    exchange = hospital.sign("pneumothorax", priority="urgent")
    with hospital.database.transaction(TENANT) as connection:
        of_call = [event for event in map(str, events(connection, TENANT)) if exchange.instance in event]
        assert verify(connection, TENANT).intact
    assert any("'imaging-prescreen'" in event for event in of_call)


def test_what_was_found_comes_back_to_the_archive(hospital: Hospital) -> None:
    patient = hospital.newcomer("pneumothorax")
    hospital.sign(patient)
    film = latest(hospital, patient.id).study.study_uid
    before = {instance.instance for instance in hospital.sandbox.archive.find(study=film)}
    hospital.work()
    held = hospital.sandbox.archive.find(study=film)
    classes = {instance.sop_class for instance in held if instance.instance not in before}
    assert classes == {EnhancedSRStorage, SecondaryCaptureImageStorage}


def test_the_report_reaches_the_ehr_through_the_outbox(hospital: Hospital) -> None:
    patient = hospital.newcomer("pneumothorax")
    hospital.sign(patient)
    hospital.work()
    assert len(chart.reports(hospital.sandbox.records, patient.id)) == 1


class TestRefusals:
    """A clear 4xx, an OperationOutcome, no partial rows."""

    def test_an_unregistered_caller_gets_a_bare_401(self, hospital: Hospital) -> None:
        answer = hospital.app.test_client().post("/cds-services/imaging-prescreen", json={})
        assert (answer.status_code, answer.data) == (401, b"")

    def test_an_unknown_service_is_404(self, hospital: Hospital) -> None:
        answer = hospital.app.test_client().post("/cds-services/nothing", json={})
        assert answer.status_code == 404
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"

    @pytest.mark.parametrize("method", ["put", "delete"])
    def test_another_method_is_405(self, method: str, hospital: Hospital) -> None:
        answer = getattr(hospital.app.test_client(), method)("/cds-services")
        assert answer.status_code == 405
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"


def test_discovery_is_open(hospital: Hospital) -> None:
    services = hospital.app.test_client().get("/cds-services").get_json()["services"]
    assert {s["id"]: s["hook"] for s in services} == {
        "imaging-prescreen": "order-sign",
        "imaging-order-select": "order-select",
        "imaging-patient-view": "patient-view",
        "imaging-encounter-start": "encounter-start",
    }


def test_a_registered_origin_may_call_from_a_browser(hospital: Hospital) -> None:
    client = hospital.app.test_client()
    origin = hospital.sandbox.base_url
    for path in ("", "/imaging-prescreen", "/imaging-prescreen/feedback"):
        answer = client.options(f"/cds-services{path}", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    stranger = client.options("/cds-services", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_readiness(hospital: Hospital) -> None:
    assert hospital.app.test_client().get("/readyz").get_json() == {
        "database": True,
        "valkey": True,
        "engine": True,
    }
