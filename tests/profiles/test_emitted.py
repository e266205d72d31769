"""Everything that the service emits is valid, as base R4 and as its profile, to both validators."""

from __future__ import annotations

import pytest

from cds.audit import balp
from tests.profiles.conftest import Validate
from tests.profiles.emitted import EMITTED, RESULTS, UNPROFILED
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
