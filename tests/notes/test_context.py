"""The fixed text of what is known beside the notes; LOINC codes, units and what is unusual."""

from __future__ import annotations

import pytest

from cds.notes.context import PatientContext
from cds.notes.observations import KNOWN, Observation, flag, is_loinc


def test_every_part_has_its_place() -> None:
    context = PatientContext(
        age=67,
        sex="female",
        reason="suspected\npneumonia.",
        symptoms=["cough", "fever"],
        problems=["COPD"],
        observations=[
            Observation("6690-2", 18.6, "10*3/uL"),
            Observation("59408-5", 88, "%"),
            Observation("2951-2", 140, "mmol/L"),
            Observation("2339-0", 99, "mg/dL"),
        ],
    )
    assert context.text().splitlines() == [
        "Reason for exam: suspected pneumonia.",
        "Patient: 67-year-old woman.",
        "Symptoms: cough, fever, high white cell count, low oxygen saturation.",
        "Problem list: COPD.",
        "Vital signs: oxygen saturation 88 % (low).",
        "Laboratory: white cell count 18.6 10*3/uL (high); sodium 140 mmol/L; LOINC 2339-0 99 mg/dL.",
    ]


def test_what_is_said_twice_is_told_once() -> None:
    same = Observation("59408-5", 99, "%")
    context = PatientContext(symptoms=["cough", "Cough ", "fever"], observations=[same, same])
    assert context.text() == "Symptoms: cough, fever.\nVital signs: oxygen saturation 99 %."


def test_every_part_may_be_missing() -> None:
    assert PatientContext().text() == ""
    assert PatientContext(sex="male").text() == "Patient: adult man."
    assert PatientContext(age=0).text() == "Patient: 0-year-old person."


def test_no_age_over_89_is_told() -> None:
    assert PatientContext(age=89, sex="male").text() == "Patient: 89-year-old man."
    assert PatientContext(age=90, sex="male").text() == "Patient: man over 89 years old."


def test_the_words_of_the_caller_are_de_identified_and_nothing_else() -> None:
    context = PatientContext(age=67, reason="r", symptoms=["s"], problems=["p"]).deidentified(str.upper)
    assert (context.age, context.reason, context.symptoms, context.problems) == (67, "R", ["S"], ["P"])


@pytest.mark.parametrize("code", [*KNOWN, "18748-4", "36643-5"])
def test_loinc_codes_end_in_their_check_digit(code: str) -> None:
    assert is_loinc(code)
    number, _, digit = code.partition("-")
    assert [d for d in range(10) if is_loinc(f"{number}-{d}")] == [int(digit)]


@pytest.mark.parametrize(
    "code", ["", "-", "6690", "6690-", "6690-22", "6690_2", "66902", "12345678-1", "\uff16690-2", "LP29684-5"]
)
def test_what_is_no_loinc_code(code: str) -> None:
    assert not is_loinc(code)


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        (Observation("59408-5", 93.9, "%"), "low"),
        (Observation("59408-5", 94, "%"), ""),
        (Observation("8310-5", 38.0, "Cel"), "high"),
        (Observation("8310-5", 101, "[degF]"), "high"),
        (Observation("8310-5", 98.6, "[degF]"), ""),
        (Observation("8310-5", 98.6, "K"), ""),
        (Observation("2339-0", 1e6, "mg/dL"), ""),
    ],
)
def test_what_is_unusual(observation: Observation, said: str) -> None:
    assert flag(observation) == said
