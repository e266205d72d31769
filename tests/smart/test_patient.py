"""The patient banner, from whatever a FHIR server holds."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds.smart.patient import PatientBanner

TODAY = date(2026, 11, 22)


def banner(**patient: Any) -> PatientBanner:
    return PatientBanner.from_fhir(patient, TODAY)


def test_the_official_name_is_preferred() -> None:
    names = [
        {"use": "maiden", "family": "Old"},
        {"use": "usual", "family": "U"},
        {"use": "official", "family": "O"},
    ]
    assert banner(name=names).name == "O"
    assert banner(name=names[:2]).name == "U"
    assert banner(name=names[:1]).name == "Old"
    assert banner(name=[{"text": "Only text"}]).name == "Only text"


@pytest.mark.parametrize(
    ("birth_date", "said"),
    [
        ("1961-11-22", "1961-11-22 (65 y)"),
        ("1961-11-23", "1961-11-23 (64 y)"),
        ("2026-11-01", "2026-11-01 (0 y)"),
        ("1961-11", "1961-11"),
        ("1961", "1961"),
        ("1961-13-45", "1961-13-45"),
        ("", ""),
    ],
)
def test_the_age_is_in_whole_years_where_the_date_is_whole(birth_date: str, said: str) -> None:
    assert banner(birthDate=birth_date).born == said


@pytest.mark.parametrize(
    "patient",
    [
        {},
        {"name": None, "identifier": None},
        {"name": "x", "birthDate": 5, "gender": [], "identifier": "x"},
        {"name": [None, {"given": "x", "family": 5}], "identifier": [None, {"type": "MR", "value": 5}]},
    ],
)
def test_a_broken_resource_reads_as_empty(patient: dict[str, Any]) -> None:
    assert banner(**patient) == PatientBanner("", "", "", "")
