"""The sample patients: valid FHIR R4, readable DICOM, notes that can be extracted, the same every time."""

import base64
import re
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pydicom
import pytest
from fhir.resources.R4B import get_fhir_model_class
from pypdf import PdfReader
from striprtf.striprtf import rtf_to_text

from cds.findings import FINDINGS
from cds.sandbox.patients import Films, sample_patients
from cds.sandbox.patients.cases import CASES
from cds.sandbox.patients.films import Film
from cds.sandbox.radiograph import TRAINING_SEEDS

PACS = "http://127.0.0.1:8481/dicom-web"
NOW = date(2026, 11, 22)


class SmallFilms(Films):
    """A quarter of the size in each direction, to save time; the large compressed one stays as it is."""

    def frame(self, film, sex):
        rows, columns = film.size
        return super().frame(film if film.compressed else replace(film, size=(rows // 4, columns // 4)), sex)


@pytest.fixture(scope="session")
def small_films(films):
    return SmallFilms(films)


@pytest.fixture(scope="session")
def patients(small_films):
    return {patient.id: patient for patient in sample_patients(PACS, NOW, small_films)}


def of_type(patient, *types):
    resources = [entry["resource"] for entry in patient.bundle["entry"]]
    return [resource for resource in resources if resource["resourceType"] in types]


def images(patient):
    return [pydicom.dcmread(BytesIO(data)) for data in patient.instances]


def attachment_text(patient, content_type):
    """The bytes of the one document of this type, through its Binary."""
    (attachment,) = (
        content["attachment"]
        for document in of_type(patient, "DocumentReference")
        for content in document["content"]
        if content["attachment"]["contentType"].startswith(content_type)
    )
    (binary,) = (b for b in of_type(patient, "Binary") if f"Binary/{b['id']}" == attachment["url"])
    return base64.b64decode(binary["data"])


def note_text(patient):
    """The inline notes, one after the other."""
    attachments = [d["content"][0]["attachment"] for d in of_type(patient, "DocumentReference")]
    return "\n".join(base64.b64decode(a["data"]).decode() for a in attachments if "data" in a)


def test_there_is_a_patient_for_every_way_that_film_and_note_meet(patients):
    assert set(patients) == {
        *("pneumothorax", "pneumonia", "worrying-note", "reassuring-note", "effusion-j2k"),
        *("no-imaging", "documents", "pacs-down", "normal"),
    }
    assert {key for patient in patients.values() for key in patient.expected} <= set(FINDINGS)
    assert patients["pacs-down"].fault == 503


def test_every_resource_is_valid_r4(patients):
    for patient in patients.values():
        for resource in [*of_type(patient), patient.order, *(e["resource"] for e in patient.bundle["entry"])]:
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_every_entry_is_a_put_at_its_own_id_and_every_reference_leads_to_one(patients):
    for patient in patients.values():
        urls = {entry["request"]["url"] for entry in patient.bundle["entry"]}
        assert {entry["request"]["method"] for entry in patient.bundle["entry"]} == {"PUT"}
        assert urls == {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in patient.bundle["entry"]}
        assert set(references([*patient.bundle["entry"], patient.order])) <= urls


def references(value):
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference":
                yield inner
            yield from references(inner)


def test_the_same_arguments_give_the_same_patients(patients, small_films):
    assert sample_patients(PACS, NOW, small_films) == list(patients.values())


def test_a_film_is_drawn_once(tmp_path, monkeypatch):
    film = Film(1, size=(64, 64))
    drawn = Films(tmp_path).frame(film, "F")
    monkeypatch.setattr("cds.sandbox.patients.films.render", lambda *a, **k: pytest.fail("drawn again"))
    assert Films(tmp_path).frame(film, "F") == drawn


def test_a_damaged_film_is_drawn_again(tmp_path):
    film = Film(1, size=(64, 64))
    drawn = Films(tmp_path).frame(film, "F")
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-100])
    assert Films(tmp_path).frame(film, "F") == drawn


def test_no_model_has_been_trained_on_their_films():
    assert all(film.seed < TRAINING_SEEDS for case in CASES for film in case.films)


def test_no_two_patients_share_a_name_or_a_number(patients):
    people = [case.person for case in CASES]
    for attribute in ("id", "given", "family", "born", "mrn", "phone", "street"):
        assert len({getattr(person, attribute) for person in people}) == len(people)
    instances = [image.SOPInstanceUID for patient in patients.values() for image in images(patient)]
    assert len(set(instances)) == len(instances)


def test_dates_follow_today(small_films):
    later = {p.id: p for p in sample_patients(PACS, NOW + timedelta(days=40), small_films)}
    (study,) = of_type(later["pneumothorax"], "ImagingStudy")
    assert study["started"].startswith("2027-01-01")
    assert images(later["pneumothorax"])[0].StudyDate == "20270101"


class TestImages:
    def test_are_dx_images_for_presentation_that_say_they_are_synthetic(self, patients):
        for patient in patients.values():
            (person,) = of_type(patient, "Patient")
            for image in images(patient):
                assert image.SOPClassUID == "1.2.840.10008.5.1.4.1.1.1.1"
                assert image.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID
                assert (image.Modality, image.PresentationIntentType) == ("DX", "FOR PRESENTATION")
                assert (image.BitsStored, image.HighBit, image.BodyPartExamined) == (12, 11, "CHEST")
                assert image.BurnedInAnnotation == "YES"
                assert image.ImageComments.startswith("SYNTHETIC")
                assert image.PatientName.family_name == person["name"][0]["family"]
                assert image.PatientID == person["identifier"][0]["value"]
                assert image.PatientBirthDate == person["birthDate"].replace("-", "")

    def test_decode_to_a_chest(self, patients):
        for patient in patients.values():
            for image in images(patient):
                pixels = image.pixel_array
                assert pixels.shape == (image.Rows, image.Columns)
                assert 0 <= pixels.min() < 200
                assert 3500 < pixels.max() <= 4095

    def test_are_what_the_imaging_study_says(self, patients):
        for patient in patients.values():
            studies = of_type(patient, "ImagingStudy")
            if not patient.instances:
                assert (studies, patient.study_uid) == ([], None)
                continue
            (study,) = studies
            assert study["identifier"] == [{"system": "urn:dicom:uid", "value": f"urn:oid:{patient.study_uid}"}]
            listed = {
                (series["uid"], instance["uid"], instance["sopClass"]["code"])
                for series in study["series"]
                for instance in series["instance"]
            }
            assert listed == {
                (i.SeriesInstanceUID, i.SOPInstanceUID, f"urn:oid:{i.SOPClassUID}") for i in images(patient)
            }
            assert {i.StudyInstanceUID for i in images(patient)} == {patient.study_uid}

    def test_are_at_the_pacs_that_was_given(self, patients):
        (endpoint,) = of_type(patients["pneumothorax"], "Endpoint")
        assert endpoint["address"] == PACS
        assert endpoint["connectionType"]["code"] == "dicom-wado-rs"
        (study,) = of_type(patients["pneumothorax"], "ImagingStudy")
        assert study["endpoint"] == [{"reference": f"Endpoint/{endpoint['id']}"}]

    def test_the_effusion_is_compressed_and_inverted(self, patients):
        (image,) = images(patients["effusion-j2k"])
        assert image.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"
        assert image.PhotometricInterpretation == "MONOCHROME1"
        assert image.Rows == 2048
        pixels = image.pixel_array
        right_base, left_base = pixels[1150:1500, 400:700], pixels[1150:1500, 1450:1700]
        assert right_base.mean() < left_base.mean() - 800, "fluid is white, and white is low"

    def test_the_pneumonia_has_a_lateral_view_that_comes_first(self, patients):
        assert [image.ViewPosition for image in images(patients["pneumonia"])] == ["LL", "PA"]
        lateral, frontal = (image.pixel_array.astype(float) for image in images(patients["pneumonia"]))
        assert np.corrcoef(lateral.ravel(), frontal.ravel())[0, 1] < 0.8


class TestOrders:
    def test_are_drafts_for_a_chest_film_in_two_views(self, patients):
        for patient in patients.values():
            order = patient.order
            assert (order["status"], order["intent"], order["priority"]) == ("draft", "order", "routine")
            assert {coding["code"] for coding in order["code"]["coding"]} == {"71046", "36643-5", "399208008"}
            assert order["subject"]["reference"] == f"Patient/{patient.id}"


class TestNotes:
    def test_say_who_it_is_about(self, patients):
        for case in CASES:
            texts = note_text(patients[case.person.id])
            for secret in () if case.person.id == "documents" else (case.person.mrn, case.person.family):
                assert secret.lower() in texts.lower()

    def test_are_of_a_realistic_length_with_nothing_left_to_fill_in(self, patients):
        for patient in patients.values():
            for document in of_type(patient, "DocumentReference"):
                attachment = document["content"][0]["attachment"]
                if "data" in attachment:
                    text = base64.b64decode(attachment["data"]).decode()
                    assert 120 <= len(text.split()) <= 500
                    assert not re.search(r"[{}]", text)

    def test_hold_only_numbers_that_reach_nobody(self, patients):
        text = "\n".join(note_text(patient) for patient in patients.values())
        assert set(re.findall(r"\d{3}[) -]+(\d{3}-\d{2})\d{2}\b", text)) == {"555-01"}
        assert re.findall(r"\b\d{3}-\d{2}-\d{4}\b", text) == ["987-65-4325"]
        assert all(host.endswith("example.org") for host in re.findall(r"@([\w.]*\w)", text))

    def test_a_pdf_reads_in_order(self, patients):
        reader = PdfReader(BytesIO(attachment_text(patients["documents"], "application/pdf")))
        text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
        marks = [
            "Discharge summary",
            "Leopold Vandermeer-Quist",
            "38.8 °C",
            "(by nasal cannula)",
            "signed by Samir",
        ]
        places = [text.index(mark) for mark in marks]
        assert places == sorted(places)

    def test_an_rtf_reads_with_its_accents_and_braces(self, patients):
        text = rtf_to_text(attachment_text(patients["documents"], "application/rtf").decode("ascii"))
        for part in (
            "Françoise Delacroix-Webb",
            "{was 66}",
            "38.1 °C",
            "amoxicillin\\clavulanate",
            " \N{EN DASH} still coughs",
        ):
            assert part in text

    def test_html_has_a_table_entities_and_a_script(self, patients):
        page = attachment_text(patients["documents"], "text/html").decode("ascii")
        assert "<th>MRN</th><td>LG-3350097</td>" in page
        assert "<script>" in page
        for entity in ("&amp;", "&deg;", "&lt;", "&eacute;"):
            assert entity in page

    def test_a_ccda_names_the_patient_and_has_sections(self, patients):
        root = ElementTree.fromstring(attachment_text(patients["documents"], "application/hl7-cda+xml"))
        v3 = {"v3": "urn:hl7-org:v3"}
        assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
        role = root.find("v3:recordTarget/v3:patientRole", v3)
        assert role.find("v3:patient/v3:name/v3:family", v3).text == "Vandermeer-Quist"
        assert role.find("v3:patient/v3:birthTime", v3).get("value") == "19441005"
        assert role.find("v3:addr/v3:city", v3).text == "Brookline"
        titles = [title.text for title in root.iterfind("v3:component/v3:structuredBody//v3:section/v3:title", v3)]
        assert titles[0] == "Problems"
        assert titles[-1] == "Assessment and plan"
