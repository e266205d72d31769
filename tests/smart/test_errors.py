"""What a clinician meets when something went wrong, at the sandbox EHR: what happened, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from uuid import uuid4

import httpx
import numpy as np
import pytest

from cds.sandbox.patients import SamplePatient
from cds.sandbox.patients.people import EMERGENCY
from cds.sandbox.query import parse
from tests.hospital import Hospital
from tests.sandbox.dicom import instance

CLINICIAN = f"Practitioner/{EMERGENCY.id}"


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        yield browser


def read(page: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


def opened(hospital: Hospital, browser: httpx.Client, who: str | SamplePatient) -> httpx.Response:
    page = browser.get(hospital.launch_url(who, CLINICIAN))
    assert page.status_code == 200
    return page


def test_the_token_has_expired_and_is_not_renewed(hospital: Hospital, browser: httpx.Client) -> None:
    page = opened(hospital, browser, "effusion")
    for _, grant in list(hospital.desk.authorization.access_tokens._held.values()):
        hospital.desk.authorization.end(grant)
    after = browser.get(page.url)
    assert after.status_code == 401
    assert "Your session has ended" in read(after)
    assert "What to do: Open Sightline again from the patient's chart." in read(after)
    assert "effusion" not in after.text.lower()
    assert "Log out" not in after.text


def test_another_patient_was_opened_in_the_ehr(hospital: Hospital, browser: httpx.Client) -> None:
    """Launched for the next patient, the page of the one before is still there in another tab."""
    opened(hospital, browser, "effusion")
    earlier = re.search(r"prescreen=([0-9a-f-]{36})", opened(hospital, browser, "pneumothorax").text)
    assert earlier
    opened(hospital, browser, "effusion")
    after = browser.get(f"{hospital.settings.base_url}/smart/?prescreen={earlier[1]}")
    assert after.status_code == 403
    assert "about another patient than the one whose chart is open" in read(after)
    assert "What to do: Go back to the EHR, check which patient is open" in read(after)
    assert "Pneumothorax" not in after.text


def test_the_ehr_renews_for_another_patient(hospital: Hospital, browser: httpx.Client) -> None:
    page = opened(hospital, browser, "effusion")
    authorization, other = hospital.desk.authorization, hospital.patient("pneumothorax").id
    for handle, (until, grant) in list(authorization.refresh_tokens._held.items()):
        switched = replace(grant, context=replace(grant.context, patient=other))
        authorization.refresh_tokens._held[handle] = until, switched
    for token in list(authorization.access_tokens._held):
        hospital.sandbox.tokens.revoke(token)
    after = browser.get(page.url)
    assert after.status_code == 403
    assert "Another patient is open in your EHR" in read(after)
    assert "What to do: Open Sightline again from the chart of the patient that you mean." in read(after)
    assert browser.get(page.url).status_code == 401, "the session is over"


def test_there_is_no_imaging(hospital: Hospital, browser: httpx.Client) -> None:
    said = read(opened(hospital, browser, "no-imaging"))
    assert "What was missing Image: there is no chest radiograph on record." in said
    assert "What to do: nothing." in said


def test_the_pacs_is_down(hospital: Hospital, browser: httpx.Client) -> None:
    said = read(opened(hospital, browser, "pacs-down"))
    assert re.search(
        r"What was missing Image: the image could not be had: the PACS answered with status 503", said
    )
    assert "What to do: look at it yourself, in your EHR or PACS." in said


def test_the_pacs_goes_down_after_it_was_scored(hospital: Hospital, browser: httpx.Client) -> None:
    page = opened(hospital, browser, "effusion")
    film = re.search(r'film-viewer src="([^"]+)"', page.text)
    assert film
    study = hospital.patient("effusion").study_uid
    hospital.sandbox.archive.fault(study, 503)
    try:
        answer = browser.get(page.url.join(film[1]))
    finally:
        hospital.sandbox.archive.fault(study, None)
    assert (answer.status_code, answer.text) == (502, "the image cannot be had from the PACS just now")


def test_the_image_cannot_be_scored(hospital: Hospital, browser: httpx.Client) -> None:
    said = read(opened(hospital, browser, with_a_blank_film(hospital)))
    assert "the image could not be had: the image is blank." in said
    assert "What to do: look at it yourself, in your EHR or PACS." in said


def test_nothing_was_asked_for_yet(hospital: Hospital, browser: httpx.Client) -> None:
    said = read(browser.get(hospital.launch_url(hospital.newcomer("normal"), CLINICIAN, card=False)))
    assert "No prescreen for this patient yet" in said
    assert "What to do: sign an imaging order for this patient." in said


def with_a_blank_film(hospital: Hospital) -> SamplePatient:
    patient, uid = hospital.newcomer("no-imaging"), f"2.25.{uuid4().int}"
    blank = np.zeros((128, 128), np.uint16)
    names = {"study": uid, "series": f"{uid}.1", "uid": f"{uid}.1.1"}
    hospital.sandbox.pacs.store([instance(**names, pixels=blank, ViewPosition="PA")])
    other = hospital.patient("normal").id
    (study,) = hospital.sandbox.records.search(parse("ImagingStudy", f"patient=Patient/{other}")).resources
    own = {
        "subject": {"reference": f"Patient/{patient.id}"},
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
    }
    hospital.sandbox.records.create({k: v for k, v in study.items() if k not in ("id", "meta", "series")} | own)
    return patient
