"""Stacking (Wolpert 1992): a logistic regression on both parts' log-odds, a finding's own as far as films allow.

The weights of each finding are drawn towards those of all findings together, as if these had been seen on
``prior`` films: a finding with four positive films keeps nearly the common weights, one with seventy its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.calibration import sigmoid
from training.fusion.pairs import Array, Pairs, folds

IMAGE_LIMITS, NOTE_LIMITS = (0.01, 0.99), (0.01, 0.8)
"""What a part's probability counts as at least and at most, so that neither silences the other. A note can prove
no more than its sensitivity and specificity allow, however plainly it speaks: 0.8 had the smallest log-loss on
patients left out, of 0.5 to 0.99."""
PRIORS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
FOLDS = 5
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Stack:
    """``weights`` (findings, 3): of the image's log-odds, of the note's, and the intercept."""

    weights: Array
    common: Array
    """Those of all findings together, (3,)."""
    prior: float

    def probabilities(self, image: Array, note: Array) -> Array:
        """(rows, findings), as :class:`cds.fusion.late.LateFusion` makes them but for its rule for what is
        HIGH."""
        z = features(image, note)
        return sigmoid((z * self.weights[None]).sum(2))


def features(image: Array, note: Array) -> Array:
    """(rows, findings, 3)."""
    return np.stack([_log_odds(image, IMAGE_LIMITS), _log_odds(note, NOTE_LIMITS), np.ones_like(image)], 2)


def fit(pairs: Pairs, prior: float) -> Stack:
    z = features(pairs.image, pairs.note)
    findings = z.shape[1]
    common = _fitted(z.reshape(-1, 3), pairs.labels.ravel(), 1 / pairs.draws, np.array([1.0, 1.0, 0.0]), 1.0)
    own = [_fitted(z[:, k], pairs.labels[:, k], 1 / pairs.draws, common, prior) for k in range(findings)]
    return Stack(np.array(own), common, prior)


def fit_with_best_prior(pairs: Pairs) -> Stack:
    """The prior is the one with the smallest log-loss on patients left out."""
    losses = [_loss(out_of_fold(pairs, prior), pairs.labels) for prior in PRIORS]
    return fit(pairs, PRIORS[int(np.argmin(losses))])


def out_of_fold(pairs: Pairs, prior: float) -> Array:
    """Fused probabilities (rows, findings), each by weights that its patient had no part in."""
    fused = np.empty_like(pairs.image)
    for left_out in folds(pairs.patients, FOLDS, seed=0):
        stack = fit(pairs.where(~left_out), prior)
        fused[left_out] = stack.probabilities(pairs.image[left_out], pairs.note[left_out])
    return fused


def _fitted(z: Array, labels: Array, weight: float, start: Array, prior: float) -> Array:
    """Newton's method on the log-loss with a Gaussian prior about ``start``; no part counts against itself."""
    theta = start.copy()
    for _ in range(_STEPS):
        p = sigmoid(z @ theta)
        gradient = weight * (z.T @ (p - labels)) + prior * (theta - start)
        curvature = weight * ((z * (p * (1 - p))[:, None]).T @ z) + prior * np.eye(3)
        step = np.clip(np.linalg.solve(curvature, gradient), -1.0, 1.0)
        moved = np.maximum(theta - step, [0.0, 0.0, -np.inf])
        if np.abs(moved - theta).max() < 1e-9:
            break
        theta = moved
    return theta


def _log_odds(probabilities: Array, limits: Sequence[float]) -> Array:
    p = np.clip(probabilities, *limits)
    odds: Array = np.log(p / (1 - p))
    return odds


def _loss(probabilities: Array, labels: NDArray[np.float64]) -> float:
    p = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p)))
