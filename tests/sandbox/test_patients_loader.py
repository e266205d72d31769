"""Sample patients, loaded into the sandbox and asked for as the service asks."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from cds.sandbox.patients import dx, load_bundle, resources
from cds.sandbox.patients.cases import PNEUMOTHORAX
from cds.sandbox.patients.dx import Shot
from cds.sandbox.patients.loader import load
from cds.sandbox.patients.sample import SamplePatient, transaction, uid
from cds.sandbox.radiograph import render
from tests.sandbox.test_patients_wrap import DATA

NOW = date(2026, 11, 22)


@pytest.fixture
def patient(sandbox):
    """One patient with one small film."""
    person = PNEUMOTHORAX.person
    study, series, instance = (uid(person.id, part) for part in ("study", "series", "instance"))
    shot = Shot(study, series, instance, 1, "PA", datetime(2026, 11, 22, 6, tzinfo=UTC), 5.6)
    image = resources.Image(series, instance, dx.SOP_CLASS, "DX", "CHEST PA")
    held = [
        resources.patient(person, "A small film"),
        resources.encounter(person, ("EMER", "emergency"), NOW, PNEUMOTHORAX.doctor),
        resources.imaging_study(person, study, shot.taken.isoformat(), [image]),
    ]
    return SamplePatient(
        id=person.id,
        name=person.name,
        story="A small film",
        bundle=transaction([*resources.shared(sandbox.pacs_root), *held]),
        order=resources.chest_order(person, PNEUMOTHORAX.reason, PNEUMOTHORAX.doctor, resources.instant(NOW, 11)),
        instances=(dx.instance(person, shot, dx.encode(render(1, size=(64, 64)))),),
        study_uid=study,
    )


def load_into(sandbox, *patients):
    return load(patients, sandbox.records, sandbox.pacs, sandbox.archive)


def test_the_study_is_found_by_fhir_and_its_image_by_dicomweb(sandbox, client, bearer, patient):
    load_into(sandbox, patient)
    found = client.get("/fhir/ImagingStudy?patient=pneumothorax", headers=bearer()).json
    (study,) = (entry["resource"] for entry in found["entry"])
    assert study["identifier"][0]["value"] == f"urn:oid:{patient.study_uid}"
    series = study["series"][0]
    answer = client.get(
        f"/dicom-web/studies/{patient.study_uid}/series/{series['uid']}/instances/{series['instance'][0]['uid']}",
        headers=bearer(audience=sandbox.dicomweb_root),
    )
    assert answer.status_code == 200
    assert patient.instances[0] in answer.data


def test_a_second_load_changes_nothing(sandbox, patient):
    assert load_into(sandbox, patient) == 1
    assert load_into(sandbox, patient) == 0
    assert sandbox.records.read("Patient", patient.id)["meta"]["versionId"] == "1"


def test_a_fault_is_set_on_the_patients_study_and_taken_away_again(sandbox, patient):
    load_into(sandbox, replace(patient, fault=503))
    assert sandbox.archive.fault_of(patient.study_uid) == 503
    load_into(sandbox, patient)
    assert sandbox.archive.fault_of(patient.study_uid) is None


def test_a_real_pacs_is_not_given_the_images_of_a_study_that_must_fail(sandbox, patient):
    stored = []
    real = SimpleNamespace(store=stored.extend)
    load([replace(patient, fault=503)], sandbox.records, real, sandbox.archive)
    assert stored == []


def test_the_order_waits_as_a_draft_until_it_is_signed(sandbox, patient):
    load_into(sandbox, patient)
    assert sandbox.records.read("ServiceRequest", patient.order["id"])["status"] == "draft"
    sandbox.records.update(patient.order | {"status": "active"})
    load_into(sandbox, patient)
    assert sandbox.records.read("ServiceRequest", patient.order["id"])["status"] == "active"


@pytest.mark.skipif(not (DATA / "synthea").is_dir(), reason="needs the Synthea bundles in SIGHTLINE_DATA")
def test_a_synthea_bundle_loads_with_its_references(sandbox):
    for path in sorted((DATA / "synthea").glob("*.json")):
        sample = load_bundle(path, sandbox.pacs_root, NOW)
        load_into(sandbox, sample)
        assert sandbox.records.read("Patient", sample.id)["gender"] in ("male", "female")
        studies = [
            e["resource"] for e in sample.bundle["entry"] if e["resource"]["resourceType"] == "ImagingStudy"
        ]
        held = sandbox.records.read("ImagingStudy", studies[0]["id"])
        assert held["subject"]["reference"] == f"Patient/{sample.id}"
