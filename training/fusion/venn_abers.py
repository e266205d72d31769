"""Venn-Abers intervals (Vovk & Petej, UAI 2014) with a standard error on either side, for a grid of scores.

Isotonic regression is fitted twice for each score, which joins the calibration films once as absent and once as
present. The two fitted shares are an interval: the one of the true label, and nobody knows which, is a calibrated
probability whatever the distribution. Each is a share of few films, so that the interval goes on to where
Wilson's limits of that share are (Wilson 1927).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import sigmoid
from training.fusion.pairs import Array, Scored, folds

CUTS: Array = np.round(sigmoid(np.arange(-6.0, 6.01, 0.25)), 6)
"""Scores between two cuts share an interval."""
ERRORS: Array = np.arange(0.0, 2.01, 0.125)
"""Standard errors on either side, of which :func:`narrowest` chooses."""
NOMINAL = 0.9
GROUPS, REPEATS = 5, 4
TURNS = 6


@dataclass(frozen=True, slots=True)
class Steps:
    """The interval of each of the ``len(CUTS) + 1`` bins of scores: ends rise with the score."""

    low: Array
    high: Array

    def of(self, scores: Array) -> tuple[Array, Array]:
        """As at run time: never without the score itself."""
        place = np.searchsorted(CUTS, scores, "right")
        return np.minimum(self.low[place], scores), np.maximum(self.high[place], scores)


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring bins that share a frequency."""

    bins: int
    films: float
    present: float

    @property
    def share(self) -> float:
        return self.present / self.films

    def joined(self, other: Block) -> Block:
        return Block(self.bins + other.bins, self.films + other.films, self.present + other.present)

    def limit(self, errors: float) -> float:
        """Wilson's limit of the share, so many standard errors up, or down where negative."""
        n, p, z2 = self.films, self.share, errors * errors
        reach = errors * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return (p + z2 / (2 * n) + reach) / (1 + z2 / n)


def by_finding(scores: Array, labels: Array, draws: int, errors: float) -> list[Steps]:
    """Of (rows, findings), ``nan`` labels left out; a film counts once, however many rows it has."""
    return [_steps(*_binned(*column, draws), errors) for column in zip(scores.T, labels.T, strict=True)]


def narrowest(scores: Array, labels: Array, patients: NDArray[np.str_], draws: int) -> float:
    """The fewest standard errors by which nine in ten groups of patients left out have a share present within.

    Groups of each half of the patients, by intervals of the other half: a group is to these as one of new films is
    to those of all. The rows of a film stand together.
    """
    return next(float(errors) for errors in ERRORS if _covered(scores, labels, patients, draws, errors) >= NOMINAL)


def narrowest_for(others: Sequence[Scored], notes: Scored) -> float:
    """The same for notes: by which nine in ten groups of ``others``, written anew, are within their intervals.

    Notes share phrases: one half of them knows too much of the other. The most of :data:`ERRORS`, where none is
    enough.
    """
    return next((float(errors) for errors in ERRORS if _holds(others, notes, errors)), float(ERRORS[-1]))


def _holds(others: Sequence[Scored], notes: Scored, errors: float) -> bool:
    steps = by_finding(notes.probabilities, notes.labels, 1, errors)
    within = [covered(each.probabilities, each.labels, steps) for each in others]
    return float(np.mean(within)) >= NOMINAL


def covered_in_turns(scores: Array, labels: Array, patients: NDArray[np.str_]) -> Iterator[list[bool]]:
    """Of each half of the patients :func:`covered` by intervals that the other half alone made, width included."""
    for left_out in (half for seed in range(TURNS) for half in folds(patients, 2, seed)):
        others = scores[~left_out], labels[~left_out]
        errors = narrowest(*others, patients[~left_out], 1)
        yield covered(scores[left_out], labels[left_out], by_finding(*others, 1, errors))


def _covered(scores: Array, labels: Array, patients: NDArray[np.str_], draws: int, errors: float) -> float:
    within: list[bool] = []
    for left_out in (half for seed in range(REPEATS) for half in folds(patients, 2, seed)):
        steps = by_finding(scores[~left_out], labels[~left_out], draws, errors)
        films = np.flatnonzero(left_out)[::draws]
        within += covered(scores[films], labels[films], steps)
    return float(np.mean(within))


def ends(scores: Array, steps: Sequence[Steps]) -> tuple[Array, Array]:
    """Lower and upper ends of the intervals of (rows, findings)."""
    both = [one.of(column) for one, column in zip(steps, scores.T, strict=True)]
    low, high = (np.stack(one, 1) for one in zip(*both, strict=True))
    return low, high


def covered(scores: Array, labels: Array, steps: Sequence[Steps]) -> list[bool]:
    """Of each group of like score, fifths of each finding, whether as many are present as told.

    So many are whole films: a group of ten has no share of 0.15.
    """
    low, high = ends(scores, steps)
    return [
        math.floor(low[group].sum()) <= labels[group].sum() <= math.ceil(high[group].sum())
        for group in _groups(scores, ~np.isnan(labels))
    ]


def _groups(scores: Array, known: NDArray[np.bool_]) -> Iterator[tuple[Any, Any]]:
    """Places in (rows, findings)."""
    for k in range(scores.shape[1]):
        rows = np.flatnonzero(known[:, k])
        for group in np.array_split(rows[np.argsort(scores[rows, k], kind="stable")], GROUPS):
            yield group, np.full(len(group), k)


def isotonic(films: Array, present: Array) -> list[Block]:
    """The rising shares closest to ``present / films``: pool adjacent violators (Ayer et al. 1955)."""
    blocks: list[Block] = []
    for many, there in zip(films.tolist(), present.tolist(), strict=True):
        blocks.append(Block(1, many, there))
        while len(blocks) > 1 and blocks[-2].share >= blocks[-1].share:
            last = blocks.pop()
            blocks.append(blocks.pop().joined(last))
    return blocks


def _binned(scores: Array, labels: Array, draws: int) -> tuple[Array, Array]:
    """How many films are in each bin, and how many of them have the finding."""
    known = ~np.isnan(labels)
    place, bins = np.searchsorted(CUTS, scores[known], "right"), len(CUTS) + 1
    return np.bincount(place, minlength=bins) / draws, np.bincount(place, labels[known], bins) / draws


def _steps(films: Array, present: Array, errors: float) -> Steps:
    """A limit may not rise where shares do, for blocks are of different size: it is made to, by widening."""
    bins = range(len(films))
    low = np.array([_block(films, present, place, 0.0).limit(-errors) for place in bins])
    high = np.array([_block(films, present, place, 1.0).limit(errors) for place in bins])
    return Steps(np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high))


def _block(films: Array, present: Array, place: int, label: float) -> Block:
    """That of bin ``place`` when one more film with ``label`` is in it."""
    one = np.eye(1, len(films), place)[0]
    used = np.flatnonzero(films + one)
    blocks = isotonic((films + one)[used], (present + label * one)[used])
    ends = np.cumsum([block.bins for block in blocks])
    return blocks[int(np.searchsorted(ends, np.searchsorted(used, place), "right"))]
