"""Platt scaling: from a logit to a probability that means what it says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_SLOPE = 0.05
"""A calibration must keep the order of the scores; a slope that wants to be negative is held here."""


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -60.0, 60.0)))


def platt(logits: NDArray[np.float64], labels: NDArray[np.float64], *, prior: float = 2.0) -> dict[str, float]:
    """Fit ``sigmoid(slope * logit + intercept)`` to 0/1 ``labels`` of shape (n,).

    Labels are smoothed as Platt (1999) has it, and ``prior`` pulls the slope towards 1 with the weight of
    that many films, so that a finding with few positives is not given an extreme slope.
    """
    positives = labels.sum()
    target = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2))
    slope, intercept = 1.0, 0.0
    for _ in range(100):
        step = _newton_step(logits, target, slope, intercept, prior)
        slope, intercept = max(MIN_SLOPE, slope - step[0]), intercept - step[1]
        if np.abs(step).max() < 1e-9:
            break
    return {"slope": round(float(slope), 6), "intercept": round(float(intercept), 6)}


def _newton_step(
    z: NDArray[np.float64], target: NDArray[np.float64], slope: float, intercept: float, prior: float
) -> NDArray[np.float64]:
    p = sigmoid(slope * z + intercept)
    error, weight = p - target, p * (1 - p) + 1e-9
    gradient = np.array([error @ z + prior * (slope - 1), error.sum()])
    curvature = np.array([[weight @ (z * z) + prior, weight @ z], [weight @ z, weight.sum()]])
    step = np.linalg.solve(curvature, gradient)
    return np.clip(step, -1.0, 1.0)
