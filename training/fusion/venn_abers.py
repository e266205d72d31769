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
from training.fusion.pairs import Array

CUTS: Array = np.round(sigmoid(np.arange(-6.0, 6.01, 0.25)), 6)
"""Scores between two cuts share an interval."""
ERRORS: Array = np.arange(0.0, 2.01, 0.125)
"""Standard errors on either side, of which :func:`narrowest` chooses."""
NOMINAL = 0.9
GROUPS = 5


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


@dataclass(frozen=True, slots=True)
class Shares:
    """Of each bin the block it is in with one more film there: one without the finding, and one with it."""

    absent: Sequence[Block]
    present: Sequence[Block]

    def steps(self, errors: float) -> Steps:
        """So many standard errors on either side.

        A limit may not rise where shares do, for blocks are of different size: it is made to, by widening.
        """
        low = np.array([block.limit(-errors) for block in self.absent])
        high = np.array([block.limit(errors) for block in self.present])
        return Steps(np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high))


@dataclass(frozen=True, slots=True)
class Trial:
    """What some films or notes made, and new ones whose groups it is held against."""

    shares: Sequence[Shares]
    scores: Array
    labels: Array

    def covered(self, errors: float) -> list[bool]:
        return covered(self.scores, self.labels, [one.steps(errors) for one in self.shares])


def narrowest(trials: Sequence[Trial]) -> float:
    """The fewest standard errors by which nine in ten groups are covered; the most, where none are enough."""
    return next((float(errors) for errors in ERRORS if _holds(trials, errors)), float(ERRORS[-1]))


def _holds(trials: Sequence[Trial], errors: float) -> bool:
    return float(np.mean([trial.covered(errors) for trial in trials])) >= NOMINAL


def by_finding(scores: Array, labels: Array, draws: int = 1) -> list[Shares]:
    """Of (rows, findings), ``nan`` labels left out; a film counts once, however many rows it has."""
    return [_shares(*_binned(*column, draws)) for column in zip(scores.T, labels.T, strict=True)]


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


def _shares(films: Array, present: Array) -> Shares:
    bins = range(len(films))
    return Shares(*([_block(films, present, place, label) for place in bins] for label in (0.0, 1.0)))


def _block(films: Array, present: Array, place: int, label: float) -> Block:
    """That of bin ``place`` when one more film with ``label`` is in it."""
    one = np.eye(1, len(films), place)[0]
    used = np.flatnonzero(films + one)
    blocks = isotonic((films + one)[used], (present + label * one)[used])
    ends = np.cumsum([block.bins for block in blocks])
    return blocks[int(np.searchsorted(ends, np.searchsorted(used, place), "right"))]
