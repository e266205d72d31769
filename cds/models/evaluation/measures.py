"""How well scores rank, how far probabilities can be believed, and how sure one can be of that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

INTERVAL = "DeLong 1988, 95 %, on the logit scale; the rows are taken to be independent"
BINS = 10
Z = 1.959964


@dataclass(frozen=True, slots=True)
class Measures:
    """One finding. What cannot be computed, because one class is absent, is ``None``."""

    rows: int
    positives: int
    auroc: float | None
    auroc_low: float | None
    auroc_high: float | None
    auprc: float | None
    """Average precision; chance is ``positives / rows``."""
    threshold: float
    """From here on a finding is HIGH."""
    f1: float | None
    review_threshold: float
    """From here on a person must look."""
    f1_review: float | None
    ece: float | None
    """Expected calibration error, ten bins of equal width."""


def measured(scores: Vector, labels: Vector, *, threshold: float, review: float) -> Measures:
    """``scores`` in 0..1, ``labels`` 0 or 1, at least one of each class or not."""
    positives = int(labels.sum())
    both = 0 < positives < len(labels)
    low, high = auroc_interval(scores, labels) if both else (None, None)
    return Measures(
        rows=len(labels),
        positives=positives,
        auroc=auroc(scores, labels) if both else None,
        auroc_low=low,
        auroc_high=high,
        auprc=average_precision(scores, labels) if positives else None,
        threshold=threshold,
        f1=f1(scores, labels, threshold) if positives else None,
        review_threshold=review,
        f1_review=f1(scores, labels, review) if positives else None,
        ece=calibration_error(scores, labels) if len(labels) else None,
    )


def auroc(scores: Vector, labels: Vector) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counting half."""
    above, _ = placements(scores, labels)
    return float(above.mean())


def auroc_interval(scores: Vector, labels: Vector) -> tuple[float | None, float | None]:
    """DeLong et al., Biometrics 1988, on the logit scale so that it stays within 0 and 1 (Pepe 2003, 5.2).

    Where the classes are wholly apart there is no variance: then the exact bound of a share of one, among as many
    as the smaller class has. ``None`` where a class has but one row.
    """
    above, below = placements(scores, labels)
    if min(len(above), len(below)) < 2:
        return None, None
    area = float(above.mean())
    if area in (0.0, 1.0):
        bound = 0.025 ** (1 / min(len(above), len(below)))
        return (bound, 1.0) if area else (0.0, 1 - bound)
    error = math.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    centre, reach = math.log(area / (1 - area)), Z * error / (area * (1 - area))
    return _logistic(centre - reach), _logistic(centre + reach)


def placements(scores: Vector, labels: Vector) -> tuple[Vector, Vector]:
    """For each positive the share of negatives below it, and for each negative the share of positives above."""
    positive, negative = np.sort(scores[labels > 0]), np.sort(scores[labels <= 0])
    above = (np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")) / 2
    below = (np.searchsorted(positive, negative, "left") + np.searchsorted(positive, negative, "right")) / 2
    return above / len(negative), 1 - below / len(positive)


def roc(scores: Vector, labels: Vector) -> tuple[Vector, Vector]:
    """False and true positive rate, from (0, 0) to (1, 1), one point for each score that occurs."""
    cuts = np.unique(scores)[::-1]
    positive, negative = np.sort(scores[labels > 0]), np.sort(scores[labels <= 0])
    rates = (1 - np.searchsorted(one, cuts, "left") / len(one) for one in (negative, positive))
    false, true = (np.concatenate([[0.0], rate]) for rate in rates)
    return false, true


def average_precision(scores: Vector, labels: Vector) -> float:
    """Precision at each score that occurs, weighted by the recall that it adds."""
    cuts = np.unique(scores)[::-1]
    every, positive = np.sort(scores), np.sort(scores[labels > 0])
    taken = len(every) - np.searchsorted(every, cuts, "left")
    hits = len(positive) - np.searchsorted(positive, cuts, "left")
    return float(np.sum(hits / taken * np.diff(hits, prepend=0)) / len(positive))


def f1(scores: Vector, labels: Vector, threshold: float) -> float:
    """0 where nothing reaches the threshold."""
    called = scores >= threshold
    hits = float(labels[called].sum())
    return 2 * hits / (float(called.sum()) + float(labels.sum()))


def calibration(scores: Vector, labels: Vector) -> tuple[Vector, Vector, Vector]:
    """Of each bin that is not empty: the mean score, the share of positives, and the share of all rows."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    used = counts > 0
    means, shares = (np.bincount(place, values, BINS)[used] / counts[used] for values in (scores, labels))
    return means, shares, counts[used] / len(scores)


def calibration_error(scores: Vector, labels: Vector) -> float:
    means, shares, weights = calibration(scores, labels)
    return float((np.abs(means - shares) * weights).sum())


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
