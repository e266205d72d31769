"""Two validators of other hands: Medplum's (node) and Pyrofile's (Python). Warnings count as errors."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from pyrofile_validator import Validator
from pyrofile_validator.config import ValidatorConfig

from cds.settings import PACKAGE_ROOT

PROFILES = PACKAGE_ROOT / "fhir_profiles"
GENERATED = PROFILES / "generated"
CANONICAL = "https://sightline.example/fhir/StructureDefinition/"

Resource = dict[str, Any]


class Medplum:
    """One process of ``fhir_profiles/validate.cjs``, asked line by line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(PROFILES / "validate.cjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROFILES,
        )

    def __call__(self, resource: Resource, profile: str | None) -> list[str]:
        """What is wrong; ``profile`` is an id of ours, None for base R4."""
        assert self._process.stdin
        assert self._process.stdout
        # It reads the type of a relative reference alone.
        relative = json.loads(json.dumps(resource).replace("https://ehr.example/fhir/", ""))
        file = f"StructureDefinition-{profile}.json" if profile else None
        self._process.stdin.write(json.dumps({"resource": relative, "profile": file}) + "\n")
        self._process.stdin.flush()
        found: list[str] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


class Pyrofile:
    """With R4's own definitions and our profiles; terminology as far as they bring it."""

    def __init__(self, definitions: Path) -> None:
        config = ValidatorConfig(
            local_package_paths=[str(definitions), str(GENERATED)],
            allow_unknown_extensions=True,
            error_on_unknown_profile=False,
        )
        self._validator = Validator(config)

    def __call__(self, resource: Resource, profile: str | None) -> list[str]:
        """The same. A resource is validated by the profiles that it claims, so it is made to claim this one."""
        meta = {name: value for name, value in resource.get("meta", {}).items() if name != "profile"}
        claimed = meta | ({"profile": [CANONICAL + profile]} if profile else {})
        bare = {name: value for name, value in resource.items() if name != "meta"}
        report = self._validator.validate_resource(bare | ({"meta": claimed} if claimed else {}))
        found = [(issue.severity.value, f"{issue.message} {issue.path}") for issue in report.issues]
        return [f"{severity}: {text}" for severity, text in found if severity != "information" and not _moot(text)]


MOOT = (
    r"dom-6|text\.`div`",  # a narrative is a recommendation, and these are read by programs
    "modifierExtension is present",  # said of status
    "not resolved locally|does not resolve in local",  # one resource is looked at by itself
    r"'(AIAST|PROCESSINLINELABEL)' is not in extensible",  # younger than R4's value sets, which may be extended
    # Codes of IHE's and of our own, in sets that may be too
    r"'(XrequestId|AuthzOauthService|ITI-71|model-activated)' is not in extensible",
    r"entity\[\d\]\.detail\[\d\]\.value\[x\] is required",  # Pyrofile looks for it by that very name
)


def _moot(text: str) -> bool:
    return any(re.search(pattern, text) for pattern in MOOT)
