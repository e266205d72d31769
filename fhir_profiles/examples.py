"""Writes the CapabilityStatement and one example of everything emitted: ``python -m fhir_profiles.examples``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cds.fhir.capability import capability_statement

HERE = Path(__file__).parent
RECORDED = "2026-11-22T09:30:00.000Z"
ID = "00000000-0000-4000-8000-{:012}"


def files() -> dict[Path, str]:
    """What the files shall hold; ids and times that are new at each run are made the same."""
    from tests.profiles.emitted import EMITTED  # noqa: PLC0415

    found = {
        HERE / "examples" / "CapabilityStatement-sightline.json": capability_statement("https://cds.example/fhir")
    }
    for number, (name, (_, resource)) in enumerate(EMITTED.items()):
        fixed = dict(resource)
        if fixed["resourceType"] == "AuditEvent":
            fixed |= {"id": ID.format(number), "recorded": RECORDED}
        elif fixed["resourceType"] == "DocumentReference":
            fixed["date"] = RECORDED
        file = re.sub(r"[^a-z0-9]+", "-", f"{name} {resource['resourceType']}".lower())
        found[HERE / "examples" / f"{file}.json"] = fixed
    return {path: _text(resource) for path, resource in found.items()}


def _text(resource: dict[str, Any]) -> str:
    return json.dumps(resource, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
