"""Late fusion: the image's and the note's calibrated probabilities made into one per finding.

Stacking (Wolpert 1992): a weighted sum of the parts' log-odds plus an intercept, per finding. The weights live in
a bundle of kind ``fusion``, fitted by ``training/fusion``, and stay small enough to read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal, Self

from cds.engine.bundles import Bundle, Thresholds, sigmoid
from cds.errors import ModelError
from cds.findings import Finding, Level, ModelVersion, PartScore
from cds.fusion.confidence import Confidence, Interval


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
class Parts:
    """What each part says of one finding; at least one speaks of it."""

    key: str
    image: float | None
    note: float | None
    film_in_doubt: bool

    @property
    def doubted(self) -> bool:
        return self.film_in_doubt and self.image is not None

    @property
    def difference(self) -> float:
        return 0.0 if self.image is None or self.note is None else abs(self.image - self.note)

    @property
    def rest_on(self) -> Literal["both", "image", "note"]:
        if self.image is None:
            return "note"
        return "image" if self.note is None else "both"


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
    confidence: Confidence | None = None
    """``None`` in a bundle of before 2.0.0."""

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """Raise :class:`ModelError` where the bundle is no fusion or lets a part count against itself."""
        manifest: Mapping[str, Any] = bundle.expect("fusion").manifest
        try:
            weights = {key: Weights(**w) for key, w in manifest["weights"].items()}
            image_limits, note_limits = (Limits(*manifest["limits"][part]) for part in ("image", "note"))
            disagreement = float(manifest["disagreement"])
            stated = manifest.get("intervals")
            confidence = Confidence.from_manifest(stated, bundle.findings) if stated else None
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise ModelError(f"fusion bundle {bundle.directory.name} lacks or misspells {wrong}") from None
        if set(weights) != set(bundle.findings) or not all(map(_rises, weights.values())):
            raise ModelError(f"fusion bundle {bundle.directory.name}: weights missing, below zero or no numbers")
        if not all(0 < limits.lowest < limits.highest < 1 for limits in (image_limits, note_limits)):
            raise ModelError(f"fusion bundle {bundle.directory.name}: limits must lie between 0 and 1")
        if not disagreement > 0:  # nor no number, at which nothing would be disputed
            raise ModelError(f"fusion bundle {bundle.directory.name}: disagreement must be above 0")
        return cls(bundle.version, weights, bundle.thresholds, image_limits, note_limits, disagreement, confidence)

    def fuse(
        self, image: PartScore | None, note: PartScore | None, doubts: Sequence[str] = ()
    ) -> tuple[Finding, ...]:
        """Every finding that a part speaks of, worst first; empty where both parts are missing.

        ``doubts`` are the reasons why the film may not be what the image model knows: what it had a part in is
        then for a person to look at, and never HIGH.
        """
        image_p = image.probabilities if image else {}
        note_p = note.probabilities if note else {}
        # A CT that says nothing of what is fused leaves what the notes say as certain as it was.
        spoken = [part for part in (image, note) if part and part.probabilities.keys() & self.weights.keys()]
        confidence = self.confidence if self.confidence and self.confidence.holds_for(*spoken) else None
        findings = [
            self._finding(Parts(key, image_p.get(key), note_p.get(key), bool(doubts)), confidence)
            for key in self.weights
            if key in image_p or key in note_p
        ]
        return tuple(sorted(findings, key=rank, reverse=True))

    def _finding(self, parts: Parts, confidence: Confidence | None) -> Finding:
        probability = self.probability(parts.key, parts.image, parts.note)
        return Finding(
            parts.key,
            probability,
            self._level(parts, probability),
            parts.image,
            parts.note,
            interval=self._interval(parts, confidence) if confidence else None,
            disputed=self._disputed(parts),
        )

    def _disputed(self, parts: Parts) -> bool:
        return parts.difference >= self.disagreement

    def _interval(self, parts: Parts, confidence: Confidence) -> Interval:
        """Of a film in doubt: whatever the image could have said."""
        possible = (0.0, 1.0) if parts.doubted else (parts.image,)
        ends = [
            confidence.interval(parts.key, self.probability(parts.key, image, parts.note), parts.rest_on)
            for image in possible
        ]
        return min(low for low, _ in ends), max(high for _, high in ends)

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

    def _level(self, parts: Parts, probability: float) -> Level:
        thresholds = self.thresholds[parts.key]
        if probability >= thresholds.high:
            return Level.REVIEW if parts.doubted else Level.HIGH
        low, high = thresholds.review
        return Level.REVIEW if low <= probability < high or self._disputed(parts) else Level.LOW


def _rises(weights: Weights) -> bool:
    """With each part; what is no number would make every finding low."""
    return min(weights.image, weights.note) >= 0 and all(map(math.isfinite, astuple(weights)))


def rank(finding: Finding) -> tuple[int, bool, float]:
    """Sorts the worst last; what is low is by its probability alone."""
    order = (Level.LOW, Level.REVIEW, Level.HIGH)
    urgent = finding.type.time_critical and finding.level is not Level.LOW
    return order.index(finding.level), urgent, finding.probability
