"""How good the scores are, finding by finding, and what a simple model does with the same notes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from training.calibration import platt, sigmoid
from training.measure import auroc, auroc_interval, expected_calibration_error
from training.note.generate import KEYS, Note

HANDWRITTEN = Path(__file__).parent / "handwritten.csv"
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """One finding on one test set; ``f1`` at a calibrated probability of 0.5."""

    n: int
    positives: int
    auroc: float
    interval: tuple[float, float]
    f1: float
    calibration_error: float


def handwritten() -> list[Note]:
    """Notes written by hand, never trained or calibrated on."""
    with HANDWRITTEN.open(newline="") as file:
        return [Note(row["text"], {key: float(row[key]) for key in KEYS}) for row in csv.DictReader(file)]


def labels(notes: Sequence[Note]) -> Matrix:
    """Shape (notes, findings); ``nan`` where the label is open or undecided."""
    values = np.array([[note.labels[key] for key in KEYS] for note in notes], dtype=np.float64)
    return np.where((values == 0) | (values == 1), values, np.nan)


def calibrate(logits: Matrix, truth: Matrix) -> dict[str, dict[str, float]]:
    """Platt's slope and intercept by finding."""
    known = ~np.isnan(truth)
    return {key: platt(logits[known[:, i], i], truth[known[:, i], i]) for i, key in enumerate(KEYS)}


def calibrated(logits: Matrix, calibration: Mapping[str, Mapping[str, float]]) -> Matrix:
    slope, intercept = (np.array([calibration[key][part] for key in KEYS]) for part in ("slope", "intercept"))
    return sigmoid(logits * slope + intercept)


def measured(probabilities: Matrix, truth: Matrix) -> dict[str, Figures]:
    """The figures by finding, and those of all findings together under ``all``."""
    known = ~np.isnan(truth)
    by_key = {
        key: _figures(probabilities[known[:, i], i], truth[known[:, i], i], np.flatnonzero(known[:, i]))
        for i, key in enumerate(KEYS)
    }
    rows = np.nonzero(known)[0]
    return by_key | {"all": _figures(probabilities[known], truth[known], rows)}


def _figures(scores: Matrix, truth: Matrix, rows: NDArray[np.intp]) -> Figures:
    called, present = scores >= 0.5, truth > 0
    hits = int((called & present).sum())
    return Figures(
        n=len(truth),
        positives=int(present.sum()),
        auroc=auroc(scores, truth),
        interval=auroc_interval(scores, truth, rows.astype(str), rounds=400),
        f1=2 * hits / max(1, int(called.sum()) + int(present.sum())),
        calibration_error=expected_calibration_error(scores, truth),
    )


class Baseline:
    """TF-IDF over words and pairs of words, a logistic regression per finding: what is got without BERT."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self._words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        x, truth = self._words.fit_transform([n.text for n in notes]), labels(notes)
        self._models = []
        for i in range(len(KEYS)):
            known = ~np.isnan(truth[:, i])
            self._models.append(LogisticRegression(C=10, max_iter=300).fit(x[known], truth[known, i]))

    def logits(self, notes: Sequence[Note]) -> Matrix:
        x = self._words.transform([n.text for n in notes])
        return np.stack([model.decision_function(x) for model in self._models], axis=1)
