"""What is committed is what its source makes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds.findings import KNOWN_FINDINGS
from fhir_profiles.examples import files
from tests.profiles.conftest import Validate
from tests.profiles.validators import GENERATED, PROFILES

EXAMPLES = files()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_what_the_service_makes(path: Path) -> None:
    assert path.read_text() == EXAMPLES[path]


def test_there_are_no_other_examples() -> None:
    assert set((PROFILES / "examples").glob("*.json")) == set(EXAMPLES)


def test_the_capability_statement_is_valid(medplum: Validate) -> None:
    """To fhir.resources in the place of Pyrofile, which takes the resources of a statement for one."""
    statement = json.loads((PROFILES / "examples" / "CapabilityStatement-sightline.json").read_text())
    assert medplum(statement, None) == []
    get_fhir_model_class("CapabilityStatement").model_validate(statement)


def test_the_value_set_holds_every_finding() -> None:
    found = json.loads((GENERATED / "ValueSet-findings.json").read_text())
    (include,) = found["compose"]["include"]
    assert {(c["code"], c["display"]) for c in include["concept"]} == {
        (finding.snomed, finding.display) for finding in KNOWN_FINDINGS.values()
    }


@pytest.mark.parametrize("path", sorted(GENERATED.glob("StructureDefinition-*.json")), ids=lambda path: path.stem)
def test_a_profile_has_its_snapshot(path: Path) -> None:
    profile = json.loads(path.read_text())
    assert profile["snapshot"]["element"]
    assert profile["fhirVersion"] == "4.0.1"


def test_the_guide_names_every_profile() -> None:
    guide = (GENERATED / "ImplementationGuide-sightline.json").read_text()
    named = set(re.findall(r'"(?:StructureDefinition|ValueSet|CodeSystem)/([a-z0-9-]+)"', guide))
    assert named == {
        path.stem.partition("-")[2] for path in GENERATED.glob("*.json") if "Implementation" not in path.stem
    }


@pytest.mark.timeout(300)
def test_the_profiles_are_compiled_from_their_source(node: Path, tmp_path: Path) -> None:
    if not (node / "node_modules" / "fsh-sushi").is_dir():
        pytest.skip("run `npm install` in fhir_profiles")
    subprocess.run(["node", "build.cjs", str(tmp_path)], cwd=node, check=True, timeout=280)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in GENERATED.iterdir()}
