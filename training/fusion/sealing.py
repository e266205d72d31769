"""Writing the fusion bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cds.findings import FINDINGS, ModelVersion
from training.bundle import HIGH, REVIEW
from training.fusion.fitting import Fitted
from training.fusion.stacking import IMAGE_LIMITS, NOTE_LIMITS
from training.fusion.venn_abers import CUTS, Steps

VERSION = "2.4.1"
DISAGREEMENT = 0.6
"""Set by hand: from this difference between the parts on, a person must look."""
KEYS = tuple(FINDINGS)


def seal(directory: Path, fitted: Fitted, made_with: Sequence[ModelVersion], card: str) -> None:
    """``made_with``: the image and the note model."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "card.md").write_text(card)
    manifest = {
        "name": "late-fusion",
        "version": VERSION,
        "kind": "fusion",
        "findings": list(KEYS),
        "weights": dict(zip(KEYS, map(_weights, fitted.stack.weights.tolist()), strict=True)),
        "limits": {"image": list(IMAGE_LIMITS), "note": list(NOTE_LIMITS)},
        "disagreement": DISAGREEMENT,
        "thresholds": {key: {"high": HIGH, "review": list(REVIEW)} for key in KEYS},
        "intervals": _intervals(fitted, made_with),
        "licence": "Apache-2.0; data: NIH Clinical Center, Wang et al., CVPR 2017",
        "intended_use": "Demonstration only; not a medical device.",
        "files": {"card.md": hashlib.sha256(card.encode()).hexdigest()},
    }
    (directory / "bundle.json").write_text(json.dumps(manifest) + "\n")


def _weights(row: Sequence[float]) -> dict[str, float]:
    return dict(zip(("image", "note", "intercept"), (round(value, 4) for value in row), strict=True))


def _intervals(fitted: Fitted, made_with: Sequence[ModelVersion]) -> dict[str, Any]:
    by_parts = {parts: dict(zip(KEYS, map(_ends, steps), strict=True)) for parts, steps in fitted.steps.items()}
    return {"made_with": [version.digest for version in made_with], "cuts": CUTS.tolist(), **by_parts}


def _ends(steps: Steps) -> list[list[float]]:
    return [_rounded(steps.low), _rounded(steps.high)]


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 4) for value in values]
