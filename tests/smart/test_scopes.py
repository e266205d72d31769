"""Granted scopes (SMART App Launch 2.2, scopes-and-launch-context.html)."""

from __future__ import annotations

from typing import Any

import pytest

from cds.ehr.smart_configuration import SmartConfiguration
from cds.smart.scopes import asked, may_read
from tests.smart.conftest import BASE, registration


def configuration(**document: Any) -> SmartConfiguration:
    return SmartConfiguration(registration(), BASE, document)


@pytest.mark.parametrize("capabilities", [[], ["permission-v2"], ["permission-v1", "permission-v2"], None, "x"])
def test_no_more_is_asked_than_is_read(capabilities: Any) -> None:
    assert asked(configuration(capabilities=capabilities), "launch") == (
        "launch openid fhirUser patient/Patient.r patient/ImagingStudy.rs patient/DocumentReference.rs "
        "patient/Binary.r patient/DiagnosticReport.rs user/Patient.rs user/DiagnosticReport.u"
    )


@pytest.mark.parametrize(
    ("listed", "more"),
    [
        (["patient/*.rs"], {"patient/Composition.r", "patient/Endpoint.r"}),
        (["patient/Endpoint.read", "openid"], {"patient/Endpoint.r"}),
        (["openid", "patient/Patient.rs", "patient/Composition.s"], set()),
    ],
)
def test_what_few_ehrs_know_is_asked_where_it_is_listed(listed: list[str], more: set[str]) -> None:
    scopes = set(asked(configuration(scopes_supported=listed), "launch").split())
    assert scopes - set(asked(configuration(), "launch").split()) == more


def test_of_an_ehr_that_knows_only_v1_it_is_asked_in_v1() -> None:
    scopes = asked(configuration(capabilities=["permission-v1"]), "launch/patient").split()
    assert scopes[0] == "launch/patient"
    assert "patient/Patient.read" in scopes
    assert "user/DiagnosticReport.write" in scopes
    assert not any(scope.endswith((".r", ".rs", ".u")) for scope in scopes)


def test_a_refresh_token_is_asked_for_where_there_may_be_one() -> None:
    assert "online_access" in asked(configuration(capabilities=["permission-online"]), "launch").split()


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
