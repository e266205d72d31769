"""The figures of an evaluation, against their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cds.models.evaluation import measures
from cds.models.evaluation.measures import measured

Vector = NDArray[np.float64]


def sample(seed: int, rows: int = 60) -> tuple[Vector, Vector]:
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.4).astype(float)
    labels[:2] = 0, 1
    scores = np.round((0.3 * labels + 0.7 * random.random(rows)), 1)
    return scores, labels


@given(st.integers(0, 1000))
def test_auroc_is_the_share_of_pairs_in_order(seed: int) -> None:
    scores, labels = sample(seed)
    pairs = itertools.product(scores[labels > 0], scores[labels <= 0])
    expected = np.mean([(p > n) + (p == n) / 2 for p, n in pairs])
    assert measures.auroc(scores, labels) == pytest.approx(expected)


@given(st.integers(0, 1000))
def test_the_roc_curve_encloses_it(seed: int) -> None:
    scores, labels = sample(seed)
    false, true = measures.roc(scores, labels)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(measures.auroc(scores, labels))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Scores of two normal distributions one apart: the area is 0.7602."""
    random = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], [80, 40])
    covered = 0
    for _ in range(400):
        low, high = measures.auroc_interval(random.normal(labels), labels)
        assert low is not None
        assert high is not None
        covered += low <= 0.7602 <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_classes_wholly_apart_still_have_an_interval() -> None:
    low, high = measures.auroc_interval(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0, 1, 1]))
    assert (low, high) == (pytest.approx(0.158, abs=1e-3), 1.0)


def test_average_precision_of_a_known_ranking() -> None:
    """Positives at ranks 1, 3 and 4 of five: (1/1 + 2/3 + 3/4) / 3."""
    scores, labels = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1.0, 0, 1, 1, 0])
    assert measures.average_precision(scores, labels) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_f1_of_a_known_table() -> None:
    scores, labels = np.array([0.9, 0.8, 0.7, 0.2]), np.array([1.0, 0, 1, 1])
    assert measures.f1(scores, labels, 0.7) == pytest.approx(2 * 2 / (3 + 3))
    assert measures.f1(scores, labels, 0.99) == 0


def test_calibration_error_is_the_distance_of_what_was_said_and_what_was() -> None:
    scores = np.repeat([0.2, 0.8], 50)
    labels = np.concatenate([np.repeat([1.0, 0.0], [10, 40]), np.repeat([1.0, 0.0], [25, 25])])
    assert measures.calibration_error(scores, labels) == pytest.approx(0.15)
    assert measures.calibration_error(np.array([1.0]), np.array([1.0])) == 0


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_what_one_class_cannot_tell_is_left_open(label: float) -> None:
    one = measured(np.array([0.2, 0.4]), np.array([label, label]), threshold=0.8, review=0.3)
    assert (one.auroc, one.auroc_low, one.rows, one.positives) == (None, None, 2, 2 * label)
