"""Granted scopes (SMART App Launch 2.2, scopes-and-launch-context.html)."""

from __future__ import annotations

import pytest

from cds.smart.scopes import may_read


@pytest.mark.parametrize(
    "granted",
    [
        "patient/Patient.r",
        "patient/Patient.cruds",
        "patient/*.rs",
        "user/Patient.r",
        "patient/Patient.read",
        "patient/*.*",
        "openid  patient/Patient.rs",
    ],
)
def test_lets_read(granted: str) -> None:
    assert may_read(granted, "Patient")


@pytest.mark.parametrize(
    "granted",
    [
        "",
        "openid fhirUser launch",
        "patient/Patient.s",
        "patient/Patient.cud",
        "patient/Patient.write",
        "patient/Patient.",
        "patient/Patient",
        "patient/Patient.sr",
        "patient/Patient.r?_id=1",
        "patient/PatientX.r",
        "system/Patient.r",
        "xpatient/Patient.r",
        "patient/patient.r",
    ],
)
def test_does_not(granted: str) -> None:
    assert not may_read(granted, "Patient")
