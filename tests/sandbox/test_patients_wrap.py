"""A folder of radiographs, and a bundle in a file, as patients."""

import json
import os
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fhir.resources.R4B import get_fhir_model_class
from PIL import Image

from cds.errors import ConfigurationError, ImagingError
from cds.sandbox.patients import load_bundle, wrap_images
from cds.sandbox.patients.cases import PNEUMOTHORAX
from cds.sandbox.patients.dx import Shot, encode, instance
from cds.sandbox.radiograph import render

PACS = "http://127.0.0.1:8481/dicom-web"
NOW = date(2026, 11, 22)
DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def picture(path, bits=8):
    steps = np.linspace(0, 2**bits - 1, 48 * 40).reshape(48, 40)
    Image.fromarray(steps.astype(np.uint16 if bits == 16 else np.uint8)).save(path)


def dicom(path):
    shot = Shot("1.2.3", "1.2.3.4", "1.2.3.4.5", 1, "AP", datetime(2020, 1, 2, 3, tzinfo=UTC), 0.5)
    dataset = pydicom.dcmread(BytesIO(instance(PNEUMOTHORAX.person, shot, encode(render(1, size=(64, 64))))))
    dataset.PhysiciansOfRecord = "Grainger^Ottoline"
    dataset.PatientAddress = "48 Cooper's Rise"
    dataset.add_new(0x00091001, "LO", "Tobias Wrenfield")
    dataset.save_as(path)
    return dataset


def read(patient):
    (data,) = patient.instances
    return pydicom.dcmread(BytesIO(data))


class TestImages:
    def test_each_picture_becomes_the_dx_image_of_its_own_patient(self, tmp_path):
        picture(tmp_path / "a.png")
        picture(tmp_path / "b.jpg")
        picture(tmp_path / "c.PNG", bits=16)
        patients = wrap_images(tmp_path, PACS, NOW)
        assert len({patient.id for patient in patients}) == len({patient.study_uid for patient in patients}) == 3
        for patient in patients:
            image = read(patient)
            assert (image.Modality, image.BitsStored, image.pixel_array.shape) == ("DX", 12, (48, 40))
            assert image.pixel_array[0, 0] < 60
            assert image.pixel_array[-1, -1] > 4030

    def test_the_resources_are_valid_and_lead_to_the_image(self, tmp_path):
        picture(tmp_path / "a.png")
        (patient,) = wrap_images(tmp_path, PACS, NOW)
        resources = {entry["resource"]["resourceType"]: entry["resource"] for entry in patient.bundle["entry"]}
        for resource in (*resources.values(), patient.order):
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        (series,) = resources["ImagingStudy"]["series"]
        assert series["instance"][0]["uid"] == read(patient).SOPInstanceUID
        assert resources["Endpoint"]["address"] == PACS

    def test_dicom_keeps_its_pixels_and_loses_its_subject(self, tmp_path):
        before = dicom(tmp_path / "a.dcm")
        (patient,) = wrap_images(tmp_path, PACS, NOW)
        after = read(patient)
        assert after.PixelData == before.PixelData
        assert after.ViewPosition == "AP"
        assert after.PatientName.family_name == "Wrapped"
        for secret in ("Wrenfield", "Tobias", "Grainger", "Cooper", PNEUMOTHORAX.person.mrn):
            assert secret.encode() not in patient.instances[0]

    def test_what_cannot_be_used_is_left_out_and_said(self, tmp_path):
        picture(tmp_path / "good.png")
        (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:80])
        (tmp_path / "text.dcm").write_text("not DICOM at all")
        (tmp_path / "labels.csv").write_text("image_id\n")
        said = []
        assert len(wrap_images(tmp_path, PACS, NOW, say=said.append)) == 1
        assert [line.split(" was left out")[0] for line in said] == ["cut.png", "text.dcm"]

    def test_another_image_under_the_same_name_is_another_study(self, tmp_path):
        picture(tmp_path / "a.png")
        (first,) = wrap_images(tmp_path, PACS, NOW)
        picture(tmp_path / "a.png", bits=16)
        (second,) = wrap_images(tmp_path, PACS, NOW)
        assert first.id == second.id
        assert first.study_uid != second.study_uid

    def test_only_so_many_are_taken_and_the_rest_counted(self, tmp_path):
        for number in range(5):
            picture(tmp_path / f"{number}.png")
        said = []
        assert len(wrap_images(tmp_path, PACS, NOW, limit=2, say=said.append)) == 2
        assert said == [f"2 images were taken; 3 more are in {tmp_path}"]

    def test_a_folder_without_images_is_refused(self, tmp_path):
        with pytest.raises(ImagingError, match="holds no PNG, JPEG or DICOM"):
            wrap_images(tmp_path, PACS, NOW)
        with pytest.raises(ImagingError, match="not a directory"):
            wrap_images(tmp_path / "nowhere", PACS, NOW)

    @pytest.mark.skipif(not (DATA / "nih").is_dir(), reason="needs the NIH films in SIGHTLINE_DATA")
    def test_real_films_are_wrapped(self):
        patients = wrap_images(DATA / "nih" / "images", PACS, NOW, limit=3, say=[].append)
        assert [read(patient).pixel_array.shape for patient in patients] == [(320, 320)] * 3

    @pytest.mark.skipif(not (DATA / "dicom").is_dir(), reason="needs the DICOM files in SIGHTLINE_DATA")
    def test_any_dicom_file_is_wrapped_or_said_to_be_left_out(self):
        said = []
        patients = wrap_images(DATA / "dicom", PACS, NOW, limit=500, say=said.append)
        assert len(patients) > 60
        assert said
        for patient in patients:
            assert read(patient).PatientName.family_name == "Wrapped"


def bundle_file(path, *resources, **changed):
    entries = [
        {"fullUrl": f"urn:uuid:{r['id']}", "resource": r, "request": {"method": "POST", "url": r["resourceType"]}}
        for r in resources
    ]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries} | changed))
    return path


PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"given": ["Chet1"], "family": "Example22"}]}


class TestBundle:
    def test_its_patient_gets_a_visit_and_an_order(self, tmp_path):
        sample = load_bundle(bundle_file(tmp_path / "one.json", PATIENT), PACS, NOW)
        assert (sample.id, sample.name) == ("p1", "Chet Example")
        assert sample.order["subject"]["reference"] == "Patient/p1"
        urls = [entry["request"]["url"] for entry in sample.bundle["entry"]]
        assert {"Patient/p1", "Encounter/p1-encounter"} <= set(urls)
        assert {entry["request"]["method"] for entry in sample.bundle["entry"]} == {"PUT"}

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("{", "is not JSON"),
            ("[]", "is not a FHIR Bundle"),
            ('{"resourceType": "Patient"}', "is not a FHIR Bundle"),
            ('{"resourceType": "Bundle", "type": "searchset", "entry": []}', "not a transaction Bundle"),
            ('{"resourceType": "Bundle", "type": "transaction", "entry": []}', "must hold one Patient, not 0"),
            ('{"resourceType": "Bundle", "type": "transaction", "entry": [7]}', "entry 1 has no resource"),
            (
                '{"resourceType": "Bundle", "type": "transaction", "entry": [{"resource":'
                ' {"resourceType": "X"}}]}',
                "no usable id",
            ),
        ],
    )
    def test_what_is_no_such_bundle_is_said(self, tmp_path, content, said):
        (tmp_path / "file.json").write_text(content)
        with pytest.raises(ConfigurationError, match=said):
            load_bundle(tmp_path / "file.json", PACS, NOW)

    def test_a_file_that_is_not_there_is_said(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"none\.json cannot be read"):
            load_bundle(tmp_path / "none.json", PACS, NOW)

    @pytest.mark.skipif(not (DATA / "synthea").is_dir(), reason="needs the Synthea bundles in SIGHTLINE_DATA")
    def test_synthea_bundles_are_read(self):
        for path in sorted((DATA / "synthea").glob("*.json")):
            sample = load_bundle(path, PACS, NOW)
            assert path.name.startswith(sample.name.split()[0])
            assert len(sample.bundle["entry"]) > 100
