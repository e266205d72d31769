"""The card of a bundle that somebody brought: what is known of the model, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds.findings import KNOWN_FINDINGS
from cds.models.labels import Mapping14
from cds.models.source import Source

UNTRAINED = """
**The weights are untrained.** The bundle has the right shape and nothing more; it refuses to be activated.
"""


def card(origin: str, source: Source, matched: Mapping14, manifest: Mapping[str, Any]) -> str:
    """In Markdown."""
    rows = [
        f"| {KNOWN_FINDINGS[key].display} | {source.labels[output]} | {output} |"
        for key, output in matched.outputs.items()
    ]
    unused = ", ".join(label for label in matched.unused if label) or "none"
    settings = "\n".join(f"- {name}: {value}" for name, value in manifest["input"].items())
    return f"""# {manifest["name"]} {manifest["version"]}

{source.form}, added from `{origin}`.
{UNTRAINED if manifest.get("untrained") else ""}
- Licence: {manifest["licence"]}
- Intended use: {manifest["intended_use"]}
- Calibration: {_calibration(source, manifest)}
- Evaluation: none yet; `cds models evaluate --bundle {manifest["name"]}` makes one on your data.

## Findings

| finding | the model's label | output |
|---|---|---|
{chr(10).join(rows)}

Outputs that are not used: {unused}.

## Input

{settings}
"""


def _calibration(source: Source, manifest: Mapping[str, Any]) -> str:
    if source.operating_points:
        return "the model's own operating points become 0.5; the scores are no frequencies"
    identity = {"slope": 1.0, "intercept": 0.0}
    if all(value == identity for value in manifest["calibration"].values()):
        return "none; the scores are the model's own and may be far from frequencies"
    return "given by whoever added it"
