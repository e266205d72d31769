"""The two validators, where node and their packages are there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.profiles.validators import PROFILES, Medplum, Pyrofile, Resource

Validate = Callable[[Resource, str | None], list[str]]

R4 = PROFILES / "node_modules" / "@medplum" / "definitions" / "dist" / "fhir" / "r4"
YOUNGER_THAN_R4 = ("v3-ObservationValue", "v3-ActCode")
"""Code systems that have gained codes since: R4's own copies would call them wrong."""


@pytest.fixture(scope="session")
def node() -> Path:
    """Node with Medplum's packages; `npm install` in fhir_profiles brings them."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    if not R4.is_dir():
        pytest.skip("run `npm install` in fhir_profiles")
    return PROFILES


@pytest.fixture(scope="session")
def medplum(node: Path) -> Iterator[Validate]:
    validator = Medplum()
    yield validator
    validator.close()


@pytest.fixture(scope="session")
def pyrofile(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Validate:
    definitions = tmp_path_factory.mktemp("r4")
    for name in ("profiles-types", "profiles-resources", "valuesets"):
        for entry in json.loads((R4 / f"{name}.json").read_text())["entry"]:
            resource = entry["resource"]
            kind, id = resource["resourceType"], resource["id"]
            if kind in ("StructureDefinition", "ValueSet", "CodeSystem") and id not in YOUNGER_THAN_R4:
                (definitions / f"{kind}-{id}.json").write_text(json.dumps(resource))
    return Pyrofile(definitions)


@pytest.fixture(params=["medplum", "pyrofile"])
def validate(request: pytest.FixtureRequest) -> Validate:
    """Each of the two."""
    chosen: Validate = request.getfixturevalue(request.param)
    return chosen
