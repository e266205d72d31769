"""Late fusion: the image's and the note's calibrated probabilities made into one per finding.

Log-odds pooling (Genest & Zidek 1986): a weighted sum of the parts' log-odds plus an intercept, per finding.
The weights live in a bundle of kind ``fusion`` and stay small enough to read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cds.engine.bundles import Bundle, Thresholds, sigmoid
from cds.errors import ModelError
from cds.findings import Finding, Level, ModelVersion, PartScore


@dataclass(frozen=True, slots=True)
class Weights:
    """``logit(p) = image * logit(p_image) + note * logit(p_note) + intercept``; no weight below zero."""

    image: float
    note: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a part's probability counts for at most: no part may silence the other.

    The lower limit of the note is the higher one, for a note that does not speak of a finding is weak evidence
    against it.
    """

    lowest: float
    highest: float

    def log_odds(self, probability: float) -> float:
        p = min(max(probability, self.lowest), self.highest)
        return math.log(p / (1 - p))


@dataclass(frozen=True, slots=True)
class LateFusion:
    """The fusion of one bundle."""

    version: ModelVersion
    weights: Mapping[str, Weights]
    thresholds: Mapping[str, Thresholds]
    image_limits: Limits
    note_limits: Limits
    disagreement: float
    """From this difference between the parts on, a person must look."""

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """Raise :class:`ModelError` where the bundle is no fusion or lets a part count against itself."""
        manifest: Mapping[str, Any] = bundle.expect("fusion").manifest
        try:
            weights = {key: Weights(**w) for key, w in manifest["weights"].items()}
            image_limits, note_limits = (Limits(*manifest["limits"][part]) for part in ("image", "note"))
            disagreement = float(manifest["disagreement"])
        except (KeyError, TypeError, ValueError) as wrong:
            raise ModelError(f"fusion bundle {bundle.directory.name} lacks or misspells {wrong}") from None
        if set(weights) != set(bundle.findings) or any(min(w.image, w.note) < 0 for w in weights.values()):
            raise ModelError(f"fusion bundle {bundle.directory.name}: weights missing or below zero")
        if not all(0 < limits.lowest < limits.highest < 1 for limits in (image_limits, note_limits)):
            raise ModelError(f"fusion bundle {bundle.directory.name}: limits must lie between 0 and 1")
        return cls(bundle.version, weights, bundle.thresholds, image_limits, note_limits, disagreement)

    def fuse(self, image: PartScore | None, note: PartScore | None) -> tuple[Finding, ...]:
        """Every finding that a part speaks of, worst first; empty where both parts are missing."""
        image_p = image.probabilities if image else {}
        note_p = note.probabilities if note else {}
        findings = [
            self._finding(key, image_p.get(key), note_p.get(key))
            for key in self.weights
            if key in image_p or key in note_p
        ]
        return tuple(sorted(findings, key=rank, reverse=True))

    def _finding(self, key: str, image: float | None, note: float | None) -> Finding:
        probability = self.probability(key, image, note)
        return Finding(key, probability, self._level(key, probability, image, note), image, note)

    def probability(self, key: str, image: float | None, note: float | None) -> float:
        """The fused probability; a missing part leaves the other's own calibrated score."""
        if image is None or note is None:
            present = image if image is not None else note
            return 0.0 if present is None else present
        w = self.weights[key]
        fused = sigmoid(
            w.image * self.image_limits.log_odds(image) + w.note * self.note_limits.log_odds(note) + w.intercept
        )
        # A reassuring note can never hide what the image shows clearly on its own.
        return max(fused, image) if image >= self.thresholds[key].high else fused

    def _level(self, key: str, probability: float, image: float | None, note: float | None) -> Level:
        thresholds = self.thresholds[key]
        if probability >= thresholds.high:
            return Level.HIGH
        low, high = thresholds.review
        disagree = image is not None and note is not None and abs(image - note) >= self.disagreement
        return Level.REVIEW if low <= probability < high or disagree else Level.LOW


def rank(finding: Finding) -> tuple[int, bool, float]:
    """Sorts the worst last."""
    order = (Level.LOW, Level.REVIEW, Level.HIGH)
    return order.index(finding.level), finding.type.time_critical, finding.probability
