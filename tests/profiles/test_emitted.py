"""Everything that the service emits is valid, as base R4 and as its profile, to both validators."""

from __future__ import annotations

import pytest

from cds.audit import balp
from tests.profiles.conftest import Validate
from tests.profiles.emitted import DISAGREES, EMITTED, RESULTS, SERVED, UNPROFILED, signatures
from tests.profiles.validators import CANONICAL, GENERATED


@pytest.mark.parametrize("name", EMITTED)
def test_is_valid_r4(name: str, validate: Validate) -> None:
    assert validate(EMITTED[name][1], None) == []


@pytest.mark.parametrize("name", EMITTED)
def test_is_valid_by_its_profile(name: str, validate: Validate) -> None:
    profile, resource = EMITTED[name]
    assert validate(resource, profile) == []


@pytest.mark.parametrize("name", UNPROFILED)
def test_what_has_no_profile_is_valid_r4_and_claims_no_more(name: str, validate: Validate) -> None:
    assert "meta" not in UNPROFILED[name]
    assert validate(UNPROFILED[name], None) == []


@pytest.mark.parametrize("name", EMITTED)
def test_claims_its_profile(name: str) -> None:
    """Ours by its own URL; a BALP pattern by IHE's."""
    profile, resource = EMITTED[name]
    (claimed,) = resource["meta"]["profile"]
    if claimed.startswith(balp.PROFILES):
        assert profile.startswith("balp-")
    else:
        assert claimed == CANONICAL + profile


def test_every_profile_is_emitted() -> None:
    ours = {
        path.stem.removeprefix("StructureDefinition-") for path in GENERATED.glob("StructureDefinition-*.json")
    }
    assert ours == {profile for profile, _ in EMITTED.values()}
    assert set(RESULTS.values()) < ours


@pytest.mark.parametrize("name", signatures(DISAGREES))
def test_what_a_clinician_disagrees_with_is_valid(name: str, medplum: Validate) -> None:
    """By one validator: the other does not know the author of an annotation, which R4 has."""
    profile, resource = signatures(DISAGREES)[name]
    assert medplum(resource, profile) == []


def test_a_signature_is_valid_r4(medplum: Validate) -> None:
    """By one validator: the other warns of a second subtype that R4's extensible binding does not name."""
    event = balp.signed_off(SERVED, "Patient/1", "DiagnosticReport/2")
    assert "meta" not in event
    assert medplum(event, None) == []
