"""The figures of an image bundle and the card that shows them, good or bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cds.sandbox import radiograph as generator
from training.bundle import HIGH
from training.calibration import sigmoid
from training.image.films import KEYS, Films
from training.measure import auroc, auroc_interval, expected_calibration_error

MIN_POSITIVES = 5
"""A group with fewer films of a finding says nothing about that finding."""
AGES = {"under 40": (0, 40), "40 to 64": (40, 65), "65 and over": (65, 200)}

Calibration = Mapping[str, Mapping[str, float]]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """Films with the logits that a model gave them, (n, findings)."""

    films: Films
    logits: Array

    def where(self, chosen: NDArray[np.bool_]) -> Scored:
        return Scored(self.films.where(chosen), self.logits[chosen])

    def probabilities(self, calibration: Calibration) -> Array:
        slopes = np.array([calibration[key]["slope"] for key in KEYS])
        intercepts = np.array([calibration[key]["intercept"] for key in KEYS])
        return sigmoid(slopes * self.logits + intercepts)

    @property
    def aurocs(self) -> Array:
        """By finding; ``nan`` where there are too few positives."""
        return _aurocs(self.logits, self.films.labels)

    @property
    def macro(self) -> float:
        """The mean of :attr:`aurocs`."""
        return mean_auroc(self.logits, self.films.labels)


def mean_auroc(scores: Array, labels: Array) -> float:
    """Of scores and labels (n, findings), the mean over the findings with enough positives."""
    return float(np.nanmean(_aurocs(scores, labels)))


def card(template: Path, real: Scored, synthetic: Scored, calibration: Calibration, control: Scored | None) -> str:
    """The card's text with its tables filled in."""
    return template.read_text().format(
        macro=f"{real.macro:.3f}",
        real_table="\n".join(_real_rows(real, calibration)),
        group_table="\n".join(_group_rows(real)),
        synthetic_table="\n".join(_synthetic_rows(synthetic, calibration)),
        control=_control(real, control),
        test_films=len(real.films),
        test_patients=len(np.unique(real.films.patients)),
        synthetic_films=len(synthetic.films),
        generator=generator.VERSION,
    )


def _aurocs(scores: Array, labels: Array) -> Array:
    enough = labels.sum(0) >= MIN_POSITIVES
    values = [auroc(z, y) for z, y in zip(scores.T, labels.T, strict=True)]
    return np.where(enough, values, np.nan)


def _real_rows(real: Scored, calibration: Calibration) -> Iterator[str]:
    films, probabilities = real.films, real.probabilities(calibration)
    yield "| Finding | Positive / films | AUROC (95 % interval) | ECE | At or above HIGH (of these, labelled so) |"
    yield "|---|---|---|---|---|"
    for i, key in enumerate(KEYS):
        scores, labels, stated = real.logits[:, i], films.labels[:, i], probabilities[:, i]
        low, high = auroc_interval(scores, labels, films.patients)
        alarms = stated >= HIGH
        yield (
            f"| {key} | {int(labels.sum())} / {len(films)} "
            f"| {auroc(scores, labels):.2f} ({low:.2f} to {high:.2f}) "
            f"| {expected_calibration_error(stated, labels):.3f} | {alarms.sum()} ({int(labels[alarms].sum())}) |"
        )


def _group_rows(real: Scored) -> Iterator[str]:
    films = real.films
    groups = {f"sex {sex}": films.sexes == sex for sex in ("F", "M")}
    groups |= {f"age {name}": (films.ages >= low) & (films.ages < high) for name, (low, high) in AGES.items()}
    groups |= {f"view {view}": films.views == view for view in ("PA", "AP")}
    yield "| Group | Films | Findings that could be judged | Mean AUROC of these |"
    yield "|---|---|---|---|"
    for name, chosen in groups.items():
        values = real.where(chosen).aurocs
        judged = int((~np.isnan(values)).sum())
        yield f"| {name} | {chosen.sum()} | {judged} of {len(KEYS)} | {real.where(chosen).macro:.2f} |"


def _synthetic_rows(synthetic: Scored, calibration: Calibration) -> Iterator[str]:
    films, probabilities = synthetic.films, synthetic.probabilities(calibration)
    yield "| Finding | Positive / films | AUROC | Drawn and at or above HIGH | Not drawn, yet at or above HIGH |"
    yield "|---|---|---|---|---|"
    for i, key in enumerate(KEYS):
        labels, alarms = films.labels[:, i] > 0, probabilities[:, i] >= HIGH
        yield (
            f"| {key} | {labels.sum()} / {len(films)} | {auroc(synthetic.logits[:, i], films.labels[:, i]):.2f} "
            f"| {(labels & alarms).sum()} | {(~labels & alarms).sum()} |"
        )


def _control(real: Scored, control: Scored | None) -> str:
    if control is None:
        return "Whether the synthetic films cost anything on real ones was not measured for this version."
    return (
        "Trained in the same way on the real films alone, the mean AUROC on the same real test films is "
        f"{control.macro:.3f}; with the synthetic films it is {real.macro:.3f}."
    )
