"""Calibration and the card's figures, checked against what they must come to by definition."""

import numpy as np
import pytest

from training.calibration import platt, sigmoid
from training.measure import auroc, auroc_interval, expected_calibration_error


def test_auroc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half() -> None:
    scores, labels = np.array([0.1, 0.4, 0.4, 0.8]), np.array([0.0, 0.0, 1.0, 1.0])
    assert auroc(scores, labels) == pytest.approx(3.5 / 4)
    assert np.isnan(auroc(scores, np.zeros(4)))


def test_the_interval_draws_patients_and_holds_the_estimate() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 300).astype(float)
    scores = labels + random.normal(0, 1.5, 300)
    groups = np.array([str(i // 3) for i in range(300)])
    low, high = auroc_interval(scores, labels, groups, rounds=200)
    assert low < auroc(scores, labels) < high


def test_platt_finds_the_scale_that_made_the_labels() -> None:
    random = np.random.default_rng(2)
    logits = random.normal(0, 3, 20_000)
    labels = (random.random(20_000) < sigmoid(0.5 * logits - 1.0)).astype(float)
    fitted = platt(logits, labels)
    assert fitted["slope"] == pytest.approx(0.5, abs=0.03)
    assert fitted["intercept"] == pytest.approx(-1.0, abs=0.06)
    assert expected_calibration_error(sigmoid(fitted["slope"] * logits + fitted["intercept"]), labels) < 0.02


def test_platt_never_turns_the_order_round() -> None:
    logits = np.linspace(-2, 2, 100)
    assert platt(logits, (logits < 0).astype(float))["slope"] > 0
