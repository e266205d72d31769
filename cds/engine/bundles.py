"""Model bundles: a Hugging Face directory with a ``bundle.json`` that says what the model means.

The format is described in docs/architecture.md, "Model bundles".
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from cds.errors import ModelError
from cds.findings import KNOWN_FINDINGS, ModelVersion, PartScore

INPUT_WORDS = {"fit": ("fill", "crop", "pad"), "contrast": ("stretch", "keep")}
"""What an image bundle may ask of the frame (:func:`cds.imaging.framing.framed`), the default first."""

MOST_SIDE, MOST_CHANNELS = 4096, 16
"""A picture of more pixels would hold up everything else, and of more channels mean nothing that we know."""

CT_REGIONS = ("head", "neck", "chest", "spine", "abdomen", "pelvis")
"""Of which part of the body a CT bundle may read slices."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling (Platt 1999): ``sigmoid(slope * logit + intercept)``, the slope above zero."""

    slope: float
    intercept: float

    def probability(self, logit: float) -> float:
        return sigmoid(self.slope * logit + self.intercept)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The threshold that a model was published with becomes 0.5, and what lies beside it is scaled to fit.

    torchxrayvision publishes its models so (Cohen et al., MIDL 2022). The order of scores stays, but the result is
    no frequency.
    """

    operating_point: float

    def probability(self, logit: float) -> float:
        score, point = sigmoid(logit), self.operating_point
        if score < point:
            return score / (2 * point)
        return 1 - (1 - score) / (2 * (1 - point))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which probability a finding is HIGH, and the band within which a person must look."""

    high: float
    review: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One model version, its files checked against the digests that ``bundle.json`` lists."""

    directory: Path
    version: ModelVersion
    findings: tuple[str, ...]
    input: Mapping[str, Any]
    calibration: Mapping[str, Calibration | OperatingPoint]
    thresholds: Mapping[str, Thresholds]
    manifest: Mapping[str, Any]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Raise :class:`ModelError` for a missing, altered or misdescribed bundle."""
        try:
            raw = (directory / "bundle.json").read_bytes()
            manifest = json.loads(raw)
            bundle = cls(
                directory=directory,
                version=ModelVersion(
                    kind=manifest["kind"],
                    name=manifest["name"],
                    version=manifest["version"],
                    digest=hashlib.sha256(raw).hexdigest(),
                ),
                findings=tuple(manifest["findings"]),
                input=manifest.get("input", {}),
                calibration={k: _calibration(v) for k, v in manifest.get("calibration", {}).items()},
                thresholds={
                    k: Thresholds(v["high"], (v["review"][0], v["review"][1]))
                    for k, v in manifest["thresholds"].items()
                },
                manifest=manifest,
            )
            bundle._check()
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as wrong:
            raise ModelError(f"model bundle {directory.name} cannot be read: {wrong}") from None
        return bundle

    def _check(self) -> None:
        name = self.directory.name
        if unknown := set(self.findings) - set(KNOWN_FINDINGS):
            raise ModelError(f"model bundle {name} names findings that we do not know: {sorted(unknown)}")
        if not all(map(_keeps_the_order, self.calibration.values())):
            raise ModelError(f"model bundle {name} has a calibration that turns the order around")
        if lacking := set(self.findings) - set(self.thresholds):
            raise ModelError(f"model bundle {name} gives no thresholds for {sorted(lacking)}")
        if not all(map(_rise, self.thresholds.values())):
            raise ModelError(f"model bundle {name} has a review band that does not reach up to its high threshold")
        for word, known in INPUT_WORDS.items():
            if self.input.get(word, known[0]) not in known:
                raise ModelError(f"model bundle {name}: the input's {word} must be one of {', '.join(known)}")
        if self.version.kind == "image" and (wrong := _wrong_with_pictures(self.input)):
            raise ModelError(f"model bundle {name}: the input's {wrong}")
        if self.of_ct and (wrong := _wrong_with_slices(self.input)):
            raise ModelError(f"model bundle {name}: the input's {wrong}")
        for file, digest in self.manifest["files"].items():
            path = self.directory / file
            if path.parent != self.directory or not path.is_file() or sha256(path) != digest:
                raise ModelError(f"model bundle {name}: {file} is missing or was altered")

    @property
    def untrained(self) -> bool:
        """Whether its weights say nothing: a bundle of the right shape, for tests."""
        return bool(self.manifest.get("untrained", False))

    @property
    def of_ct(self) -> bool:
        """Whether it reads the slices of a CT, and not a radiograph or a text."""
        return self.version.kind == "image" and self.input.get("modality") == "CT"

    @property
    def role(self) -> str:
        """What it is used for: its kind, and of a CT bundle the part of the body; there is one bundle for each."""
        return f"image/CT/{self.input['body_part']}" if self.of_ct else self.version.kind

    def expect(self, kind: Literal["image", "note", "fusion", "identifiers", "quality"]) -> Self:
        """This bundle, or :class:`ModelError` where it is of another kind."""
        if self.version.kind != kind:
            raise ModelError(f"model bundle {self.directory.name} is of kind {self.version.kind}, not {kind}")
        return self

    def unaltered(self) -> Self:
        """This bundle, or :class:`ModelError` where its files are not those that were loaded any more."""
        if self.load(self.directory).version.digest != self.version.digest:
            raise ModelError(f"model bundle {self.directory.name} was replaced; restart engine and service")
        return self

    def place_of(self, finding: str) -> int:
        """Which of its findings that is; raises :class:`ModelError` where it does not look for it."""
        if finding not in self.findings:
            raise ModelError(f"model bundle {self.version.name} does not look for {finding}")
        return self.findings.index(finding)

    def score(self, logits: Sequence[float]) -> PartScore:
        """Calibrated probabilities of one logit per finding, in the bundle's order."""
        plain = Calibration(1.0, 0.0)
        return PartScore(
            self.version,
            {
                key: self.calibration.get(key, plain).probability(logit)
                for key, logit in zip(self.findings, logits, strict=True)
            },
        )


def _wrong_with_pictures(spec: Mapping[str, Any]) -> str:
    """What is wrong with the ``input`` of an image bundle, in a few words; empty where nothing is."""
    channels = spec["channels"]
    if not all(isinstance(spec[side], int) and 1 <= spec[side] <= MOST_SIDE for side in ("height", "width")):
        return f"height and width must be whole numbers, {MOST_SIDE} at most"
    if not isinstance(channels, int) or not 1 <= channels <= MOST_CHANNELS:
        return f"channels must be a whole number, {MOST_CHANNELS} at most"
    mean, std = (scale if isinstance(scale, list) else [scale] for scale in (spec["mean"], spec["std"]))
    if not all(len(scale) in (1, channels) and all(map(math.isfinite, scale)) for scale in (mean, std)):
        return "mean and std must be one number, or one for each channel"
    return "" if min(std) > 0 else "std must be above 0"


def _wrong_with_slices(spec: Mapping[str, Any]) -> str:
    """What is wrong with a CT bundle's ``input``, in a few words; empty where nothing is."""
    windows, top = spec.get("windows"), spec.get("top_slices", 1)
    if spec.get("body_part") not in CT_REGIONS:
        return f"body_part must be one of {', '.join(CT_REGIONS)}"
    if not isinstance(windows, list) or not windows or not all(map(_is_window, windows)):
        return "windows must be a list of center and width, in Hounsfield units"
    if len(windows) not in (1, spec.get("channels")):
        return "windows must be one, or one for each channel"
    if spec.get("fit", "fill") != "fill" or spec.get("contrast", "keep") != "keep":
        return "fit must be fill and its contrast keep, for slices of a CT"
    if spec.get("contrast_agent") not in (None, True, False):
        return "contrast_agent must be true or false, or left out"
    return "" if isinstance(top, int) and top >= 1 else "top_slices must be 1 or more"


def _is_window(window: Any) -> bool:
    if not isinstance(window, Mapping) or set(window) != {"center", "width"}:
        return False
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in window.values())
    return numbers and window["width"] >= 1


def _calibration(stated: Mapping[str, float]) -> Calibration | OperatingPoint:
    return OperatingPoint(**stated) if "operating_point" in stated else Calibration(**stated)


def _keeps_the_order(calibration: Calibration | OperatingPoint) -> bool:
    if isinstance(calibration, OperatingPoint):
        return 0 < calibration.operating_point < 1
    return 0 < calibration.slope < math.inf and math.isfinite(calibration.intercept)


def _rise(thresholds: Thresholds) -> bool:
    """Whether a higher probability is never of a lower level; false where one is no number."""
    low, reaches = thresholds.review
    return 0 <= low <= thresholds.high <= reaches


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sigmoid(logit: float) -> float:
    """Numerically safe on both sides."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))
