"""Sealing a model directory into a bundle (docs/architecture.md, "Model bundles")."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cds.findings import FINDINGS

HIGH = 0.85
REVIEW = (0.35, 0.85)
"""The design's bands: at or above ``HIGH`` a finding is reported, within ``REVIEW`` a person must look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What ``bundle.json`` says, but for the digests of the files beside it."""

    name: str
    version: str
    kind: Literal["image", "note", "identifiers"]
    findings: Sequence[str]
    """Finding keys in the order of the model's logits."""
    input: Mapping[str, Any]
    calibration: Mapping[str, Mapping[str, float]]
    """Per finding: probability = sigmoid(slope * logit + intercept), slope > 0."""
    baseline: Mapping[str, Mapping[str, float]]
    """Per finding: mean and standard deviation of the calibrated probability on validation data, for drift."""
    licence: str
    intended_use: str
    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Per finding; where empty, the design's bands for every finding."""


def write_bundle(directory: Path, bundle: Bundle, card: str) -> str:
    """Write ``card.md`` and ``bundle.json`` beside the model's own files; return the bundle's SHA-256.

    The model and its tokenizer must have been saved into ``directory`` before: their digests go in.
    Raises :class:`ValueError` for a finding that is unknown, or one without a usable calibration.
    """
    _check(bundle)
    (directory / "card.md").write_text(card)
    thresholds = bundle.thresholds or {key: {"high": HIGH, "review": list(REVIEW)} for key in bundle.findings}
    described = asdict(bundle) | {"thresholds": thresholds, "files": _digests(directory)}
    text = json.dumps(described, indent=1) + "\n"
    (directory / "bundle.json").write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def _check(bundle: Bundle) -> None:
    for key in bundle.findings:
        if key not in FINDINGS:
            raise ValueError(f"{key} is not a finding of cds.findings")
        if not bundle.calibration[key]["slope"] > 0:
            raise ValueError(f"{key} has no positive calibration slope")


def _digests(directory: Path) -> dict[str, str]:
    """SHA-256 by file name, of every file but ``bundle.json`` itself."""
    files = sorted(path for path in directory.iterdir() if path.is_file() and path.name != "bundle.json")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
