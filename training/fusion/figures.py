"""How well image, note and both together do on pairs that nothing was fitted on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.fusion.pairs import Array, Pairs
from training.measure import auprc, auroc, expected_calibration_error, net_benefit, sensitivity_at

THRESHOLDS = (0.10, 0.35)
"""Probabilities at which somebody might act; 0.35 is where REVIEW begins."""
ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the findings; net benefit in true positives per 1,000 films and finding."""

    auroc: float
    auprc: float
    ece: float
    sensitivity_90: float
    sensitivity_95: float
    net_benefit_10: float
    net_benefit_35: float


Measure = Callable[[Array, Array], float]
MEASURES: Mapping[str, Measure] = {
    "auroc": auroc,
    "auprc": auprc,
    "ece": expected_calibration_error,
    "sensitivity_90": lambda p, y: sensitivity_at(0.90, p, y),
    "sensitivity_95": lambda p, y: sensitivity_at(0.95, p, y),
    "net_benefit_10": lambda p, y: 1000 * net_benefit(THRESHOLDS[0], p, y),
    "net_benefit_35": lambda p, y: 1000 * net_benefit(THRESHOLDS[1], p, y),
}


def measured(scores: Array, labels: Array) -> Figures:
    """Of (rows, findings); ``nan`` labels are left out."""
    return Figures(**{name: mean(measure, scores, labels) for name, measure in MEASURES.items()})


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


def ahead(ours: Array, theirs: Array, pairs: Pairs) -> tuple[float, float, float]:
    """How much higher the mean AUROC is, with its paired 95 % interval over patients drawn with replacement."""
    random, drawn = np.random.default_rng(0), []
    members = [np.flatnonzero(pairs.patients == patient) for patient in np.unique(pairs.patients)]
    for _ in range(ROUNDS):
        rows = np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
        drawn.append(_ahead(ours[rows], theirs[rows], pairs.labels[rows]))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return _ahead(ours, theirs, pairs.labels), float(low), float(high)


def _ahead(ours: Array, theirs: Array, labels: NDArray[np.float64]) -> float:
    return mean(auroc, ours, labels) - mean(auroc, theirs, labels)
