"""FHIR R4 data types as somebody else writes them."""

from __future__ import annotations

import pytest

from cds.ehr.datatypes import instance


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("Device/d1", "Device/d1"),
        ("Device/d1/_history/1", "Device/d1"),
        ("https://ehr.example/fhir/Device/d1", "Device/d1"),
        ("https://inner.example/r4/Device/d1/_history/2", "Device/d1"),
        ("https://evil.example/", ""),
        ("https://[/Device/d1", ""),
        ("Device?identifier=1", ""),
        ("#contained", ""),
        ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", ""),
        ("", ""),
    ],
)
def test_the_end_of_a_reference_or_location_names_an_instance(reference: str, named: str) -> None:
    assert instance(reference) == named
