"""What an order or a study is of: by category and code, by words as a last resort."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from cds.ehr.imaging_procedure import CPT, Procedure, of_order, of_study
from cds.errors import RequestError
from cds.hooks.follow_up import FOLLOW_UPS
from tests.hooks.calling import BLOOD, REFERRAL, named, order, study
from tests.hooks.test_request import json_values

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"


def coded(system: str, code: str) -> dict[str, Any]:
    return order(category=None, code={"coding": [{"system": system, "code": code}]})


@pytest.mark.parametrize(
    ("system", "code", "said"),
    [
        (LOINC, "36643-5", "chest radiograph"),
        (LOINC, "24628-0", "chest CT"),
        (LOINC, "24725-4", "head CT"),
        (CPT, "71046", "chest radiograph"),
        (CPT, "71275", "chest CT angiogram"),
        (SNOMED, "399208008", "chest radiograph"),
    ],
)
def test_an_order_is_what_its_code_says(system: str, code: str, said: str) -> None:
    assert str(of_order(coded(system, code))) == said


def test_a_code_of_another_system_says_nothing() -> None:
    assert of_order(coded("https://local.example/codes", "71046")) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Chest radiograph, 2 views", "chest radiograph"),
        ("Portable CXR", "chest radiograph"),
        ("X-ray of the left knee", "left knee radiograph"),
        ("XR Knees bilateral", "both knee radiograph"),
        ("MRI brain without contrast", "head MR"),
        ("CT chest abdomen pelvis", "abdomen and chest and pelvis CT"),
        ("CTA chest, PE protocol", "chest CT angiogram"),
        ("XR thoracic spine", "spine radiograph"),
        ("US abdomen", "abdomen ultrasound"),
    ],
)
def test_words_are_the_last_resort(text: str, said: str) -> None:
    assert str(of_order(named(text))) == said


@pytest.mark.parametrize(
    "not_imaging",
    [
        BLOOD,
        REFERRAL,
        named("CT/NG NAA, urine"),
        named("Chest physiotherapy"),
        named("Please tell us about the chest pain"),
        order(code={"text": "CT chest tube fluid"}, category=[{"coding": [{"code": "108252007"}]}]),
        {"resourceType": "ServiceRequest"},
    ],
    ids=lambda one: one.get("code", {}).get("text", "nothing"),
)
def test_no_imaging_order(not_imaging: dict[str, Any]) -> None:
    assert of_order(not_imaging) is None


def test_an_imaging_order_need_not_say_of_what() -> None:
    unsaid = of_order(order(code={"text": "Imaging"}))
    assert unsaid == Procedure()
    assert unsaid.may_show("chest")
    assert unsaid.may_show("head")
    assert not unsaid.is_repeated_by(unsaid)


def test_any_code_of_radiology_in_cpt_is_imaging() -> None:
    assert of_order(coded(CPT, "73560")) == Procedure()
    assert of_order(coded(CPT, "80053")) is None


def test_the_body_site_says_of_what() -> None:
    site = [{"coding": [{"system": SNOMED, "code": "72696002"}]}]
    assert str(of_order(named("Radiograph", bodySite=site))) == "knee radiograph"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "chest radiograph"),
        ({"modality": [{"code": "CR"}]}, "chest radiograph"),
        ({"modality": [{"code": "CT"}], "description": "CTA CHEST"}, "chest CT angiogram"),
        ({"modality": [], "series": [{"modality": {"code": "CT"}}], "description": "HEAD"}, "head CT"),
        ({"modality": [{"code": "PT"}, {"code": "CT"}]}, "chest imaging"),
        ({"modality": [{"code": "SR"}, {"code": "DX"}]}, "chest radiograph"),
        ({"description": "", "series": [{"bodySite": {"code": "KNEE"}}]}, "knee radiograph"),
        (
            {"description": "", "series": [{"bodySite": {"code": "KNEE"}, "laterality": {"display": "Left"}}]},
            "left knee radiograph",
        ),
        (
            {
                "series": [],
                "description": "",
                "procedureCode": [{"coding": [{"system": SNOMED, "code": "399208008"}]}],
            },
            "chest radiograph",
        ),
    ],
)
def test_a_study_is_what_modality_site_procedure_and_description_say(changes: dict[str, Any], said: str) -> None:
    assert str(of_study(study(**changes))) == said


def test_the_other_knee_is_no_repetition() -> None:
    left, right = (of_order(named(f"XR knee {side}")) for side in ("left", "right"))
    assert left is not None
    assert right is not None
    assert left.is_repeated_by(left)
    assert not left.is_repeated_by(right)


@pytest.mark.parametrize("finding", FOLLOW_UPS)
def test_a_follow_up_is_of_what_its_codes_say(finding: str) -> None:
    follow_up = FOLLOW_UPS[finding]
    for coding in follow_up.codings:
        assert of_order(coded(coding["system"], coding["code"])) == follow_up.procedure


@given(json_values, json_values)
def test_whatever_comes_is_read(one: Any, other: Any) -> None:
    with suppress(RequestError):
        of_order({"resourceType": "ServiceRequest", "category": one, "code": other, "bodySite": one})
        of_study({"modality": one, "series": other, "procedureCode": one, "description": other})
