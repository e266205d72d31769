"""How good the scores are, finding by finding, and what a simple model does with the same notes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from cds.engine.note import NoteReader, pooled
from cds.engine.sentences import sentences
from training.calibration import platt, sigmoid
from training.measure import auroc, auroc_interval, expected_calibration_error
from training.note.generate import KEYS, Note, Statement

WRITTEN = Path(__file__).parent
Matrix = NDArray[np.float64]
Cut = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Figures:
    """One finding on one test set; ``f1`` and ``specificity`` at a calibrated probability of 0.5."""

    n: int
    positives: int
    auroc: float
    interval: tuple[float, float]
    f1: float
    specificity: float
    calibration_error: float


def written(name: str) -> list[Note]:
    """Notes written by hand (``handwritten``, ``reports``), never learnt from; an empty label is open."""
    with (WRITTEN / f"{name}.csv").open(newline="") as file:
        return [Note(row["text"], {key: float(row[key] or "nan") for key in KEYS}) for row in csv.DictReader(file)]


def labels(notes: Sequence[Note | Statement]) -> Matrix:
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
        specificity=float((~called & ~present).sum() / max(1, (~present).sum())),
        f1=2 * hits / max(1, int(called.sum()) + int(present.sum())),
        calibration_error=expected_calibration_error(scores, truth),
    )


def read(reader: NoteReader, notes: Sequence[Note]) -> Matrix:
    """Logits of shape (notes, findings), as the engine reads a note."""
    return np.array([pooled(reader.read(note.text)) for note in notes])


def read_every_sentence(reader: NoteReader, notes: Sequence[Note]) -> Matrix:
    """As :func:`read`, without passing over what does not speak of the chest."""
    rows = [pooled(reader.read_sentences(sentences(note.text))) for note in notes]
    return np.array(rows).reshape(len(rows), len(KEYS))


def difference(ours: Matrix, theirs: Matrix, truth: Matrix, *, rounds: int = 400) -> tuple[float, float, float]:
    """How much higher the AUROC over all findings is than the other's, with its paired 95 % bootstrap interval."""
    random, drawn = np.random.default_rng(0), []
    for _ in range(rounds):
        rows = random.integers(0, len(truth), len(truth))
        drawn.append(_ahead(ours[rows], theirs[rows], truth[rows]))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return _ahead(ours, theirs, truth), float(low), float(high)


def _ahead(ours: Matrix, theirs: Matrix, truth: Matrix) -> float:
    known = ~np.isnan(truth)
    return auroc(ours[known], truth[known]) - auroc(theirs[known], truth[known])


def by_sentence(text: str) -> list[str]:
    return [sentence.text for sentence in sentences(text)] or [text]


def whole(text: str) -> list[str]:
    return [text]


def regressions(x: Any, truth: Matrix) -> list[LogisticRegression]:
    """One for each finding, from the rows of which it is not open; ``x`` may be sparse."""
    known = ~np.isnan(truth)
    return [
        LogisticRegression(C=10, solver="liblinear").fit(x[known[:, i]], truth[known[:, i], i])
        for i in range(len(KEYS))
    ]


class Baseline:
    """TF-IDF over words and pairs of words, a logistic regression per finding: what is got without BERT.

    ``cut`` says what is scored at once; of several pieces of a note the highest score counts, as with our model.
    """

    def __init__(self, lessons: Sequence[Note | Statement], cut: Cut) -> None:
        self._cut = cut
        self._words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        x, truth = self._words.fit_transform([n.text for n in lessons]), labels(lessons)
        self._models = regressions(x, truth)

    def logits(self, notes: Sequence[Note]) -> Matrix:
        return np.stack([self._of(self._cut(note.text)).max(axis=0) for note in notes])

    def _of(self, pieces: Sequence[str]) -> Matrix:
        x = self._words.transform(pieces)
        return np.stack([model.decision_function(x) for model in self._models], axis=1)
