"""The figures of a model card: how well scores rank, and how far probabilities can be believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Labels = NDArray[np.float64]


def auroc(scores: Scores, labels: Labels) -> float:
    """Area under the ROC curve (ties count half); ``nan`` where one class is absent."""
    positives = int((labels > 0).sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[labels > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auroc_interval(
    scores: Scores, labels: Labels, groups: NDArray[np.str_], *, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of :func:`auroc`, drawing whole ``groups`` (patients), not single rows."""
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = []
    for _ in range(rounds):
        rows = np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
        drawn.append(auroc(scores[rows], labels[rows]))
    if np.all(np.isnan(drawn)):
        return float("nan"), float("nan")
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def expected_calibration_error(probabilities: Scores, labels: Labels, *, bins: int = 10) -> float:
    """Mean distance of stated and observed frequency over ``bins`` equal-width bins, weighted by their size."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = (
        abs(probabilities[place == b].mean() - labels[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    )
    return float(sum(gaps))


def auprc(scores: Scores, labels: Labels) -> float:
    """Average precision: precision at each score that occurs, weighted by the recall it adds; ``nan`` as above."""
    positives = int((labels > 0).sum())
    if not positives:
        return float("nan")
    cuts = np.unique(scores)[::-1]
    every, positive = np.sort(scores), np.sort(scores[labels > 0])
    taken = len(every) - np.searchsorted(every, cuts, "left")
    hits = positives - np.searchsorted(positive, cuts, "left")
    return float(np.sum(hits / taken * np.diff(hits, prepend=0)) / positives)


def sensitivity_at(specificity: float, scores: Scores, labels: Labels) -> float:
    """The share of positives above the score that so large a share of the negatives does not exceed."""
    positives, negatives = scores[labels > 0], scores[labels <= 0]
    if not len(positives) or not len(negatives):
        return float("nan")
    return float((positives > np.quantile(negatives, specificity, method="higher")).mean())


def net_benefit(threshold: float, probabilities: Scores, labels: Labels) -> float:
    """True positives less false ones at the odds of ``threshold``, per case (Vickers & Elkin 2006).

    ``nan`` where there is no case.
    """
    if not len(labels):
        return float("nan")
    called = probabilities >= threshold
    true, false = (called & (labels > 0)).mean(), (called & (labels <= 0)).mean()
    return float(true - false * threshold / (1 - threshold))
