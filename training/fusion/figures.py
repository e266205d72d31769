"""How well image, note and both together do on pairs that nothing was fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.fusion.pairs import Array, Pairs
from training.measure import auprc, auroc, expected_calibration_error, net_benefit, sensitivity_at

THRESHOLDS = (0.10, 0.35)
"""Probabilities at which somebody might act; 0.35 is where REVIEW begins."""
ROUNDS = 200


class Figure(NamedTuple):
    """``value`` with its 95 % bootstrap interval over patients."""

    value: float
    low: float
    high: float


Measure = Callable[[Array, Array], float]
Rows = NDArray[np.intp]
MEASURES: Mapping[str, Measure] = {
    "auroc": auroc,
    "auprc": auprc,
    "ece": expected_calibration_error,
    "sensitivity_90": lambda p, y: sensitivity_at(0.90, p, y),
    "sensitivity_95": lambda p, y: sensitivity_at(0.95, p, y),
    "net_benefit_10": lambda p, y: 1000 * net_benefit(THRESHOLDS[0], p, y),
    "net_benefit_35": lambda p, y: 1000 * net_benefit(THRESHOLDS[1], p, y),
}
"""Each is reported as its mean over the findings; net benefit in true positives per 1,000 films and finding."""


def measured(scores: Array, pairs: Pairs) -> dict[str, Figure]:
    """By :data:`MEASURES`, of (rows, findings); ``nan`` labels are left out."""
    return {
        name: figure(lambda rows, measure=measure: mean(measure, scores[rows], pairs.labels[rows]), pairs)  # type: ignore[misc]
        for name, measure in MEASURES.items()
    }


def mean(measure: Measure, scores: Array, labels: Array) -> float:
    return float(np.nanmean(by_finding(measure, scores, labels)))


def by_finding(measure: Measure, scores: Array, labels: Array) -> list[float]:
    columns = zip(scores.T, labels.T, strict=True)
    return [measure(p[~np.isnan(y)], y[~np.isnan(y)]) for p, y in columns]


def balanced(pairs: Pairs, *, seed: int) -> Pairs:
    """Of each finding as many films without it as with it; the labels of the others become open."""
    random, labels = np.random.default_rng(seed), pairs.labels.copy()
    for column in labels.T:
        films = column[:: pairs.draws]
        without = np.flatnonzero(films == 0)
        dropped = random.permutation(without)[int(films.sum()) :]
        column.reshape(-1, pairs.draws)[dropped] = np.nan
    return Pairs(pairs.image, pairs.note, labels, pairs.patients, pairs.draws)


def ahead(ours: Array, theirs: Array, pairs: Pairs) -> Figure:
    """How much higher the mean AUROC is, both on the same patients."""

    def gain(rows: Rows) -> float:
        labels = pairs.labels[rows]
        return mean(auroc, ours[rows], labels) - mean(auroc, theirs[rows], labels)

    return figure(gain, pairs)


def figure(of: Callable[[Rows], float], pairs: Pairs) -> Figure:
    """``of`` all rows, and of those of patients drawn with replacement."""
    low, high = np.nanpercentile([of(rows) for rows in _resampled(pairs)], [2.5, 97.5])
    return Figure(of(np.arange(len(pairs.labels))), float(low), float(high))


def _resampled(pairs: Pairs) -> Iterator[Rows]:
    """The same draws of patients for everything that is measured on these pairs."""
    random = np.random.default_rng(0)
    members = [np.flatnonzero(pairs.patients == patient) for patient in np.unique(pairs.patients)]
    for _ in range(ROUNDS):
        yield np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
