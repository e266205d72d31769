"""Films paired with notes: no set of real films with their notes under usable terms is at hand.

Films and their labels are real, notes are generated, and both models really score them. Which note goes with which
film is drawn, finding by finding: what a note says of a finding depends on whether the film is labelled with it,
and on nothing else. So a pair is evidence about one finding, never about two together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Assumption:
    """How often a note says that a finding is there, where the film is labelled with it and where it is not."""

    sensitivity: float
    specificity: float

    def __str__(self) -> str:
        return f"{self.sensitivity:.2f} / {self.specificity:.2f}"


ASSUMED = Assumption(sensitivity=0.60, specificity=0.95)
"""Chosen and not measured: what a note written before the film may know of it."""
OTHERWISE = (Assumption(0.8, 0.95), Assumption(0.4, 0.98), Assumption(0.6, 0.8), Assumption(0.05, 0.95))
"""What becomes of the figures where notes are not what was assumed; of the last, where they know nothing."""
DRAWS = 8
"""Notes for each film."""


@dataclass(frozen=True, slots=True)
class Scored:
    """n films or notes: calibrated ``probabilities`` (n, findings), ``labels`` alike (0, 1, ``nan`` for open)."""

    probabilities: Array
    labels: Array
    patients: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def joined(self, other: Self) -> Self:
        return type(self)(
            *(np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of (rows, findings): what each part says and what the film is labelled with; ``patients`` (rows,)."""

    image: Array
    note: Array
    labels: Array
    patients: NDArray[np.str_]
    draws: int
    """How many rows there are of each film."""

    def where(self, rows: NDArray[np.bool_]) -> Pairs:
        return Pairs(self.image[rows], self.note[rows], self.labels[rows], self.patients[rows], self.draws)


def paired(films: Scored, notes: Scored, assumed: Assumption, *, draws: int, seed: int) -> Pairs:
    """Each film ``draws`` times, with a note of ``notes`` drawn anew for each finding."""
    random = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(films)), draws)
    labels = films.labels[rows]
    said = random.random(labels.shape) < np.where(labels > 0, assumed.sensitivity, 1 - assumed.specificity)
    columns = [_drawn(notes, finding, column, random) for finding, column in enumerate(said.T)]
    return Pairs(films.probabilities[rows], np.stack(columns, 1), labels, films.patients[rows], draws)


def _drawn(notes: Scored, finding: int, said: NDArray[np.bool_], random: np.random.Generator) -> Array:
    """Scores of notes that say so where ``said``, and of notes that do not where not."""
    labels, scores = notes.labels[:, finding], notes.probabilities[:, finding]
    affirming, others = scores[labels == 1], scores[labels == 0]
    return np.where(said, random.choice(affirming, len(said)), random.choice(others, len(said)))


def folds(patients: NDArray[np.str_], count: int, seed: int) -> Sequence[NDArray[np.bool_]]:
    """Of each fold the rows left out; no patient is in two."""
    names, place = np.unique(patients, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names)) % count
    return [fold[place] == one for one in range(count)]


def halves(patients: NDArray[np.str_], times: int) -> Iterator[NDArray[np.bool_]]:
    """The rows of either half of the patients, halved anew so many times."""
    for seed in range(times):
        yield from folds(patients, 2, seed)
