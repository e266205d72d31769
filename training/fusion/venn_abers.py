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
class Blocks:
    """Of each bin the neighbouring bins that isotonic regression joins it with: ``films``, and their ``share``."""

    films: Array
    share: Array

    def limits(self, errors: float) -> Array:
        """Wilson's limits of the shares, so many standard errors up, or down where negative."""
        n, p, z2 = self.films, self.share, errors * errors
        reach = errors * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        limits: Array = (p + z2 / (2 * n) + reach) / (1 + z2 / n)
        return limits


@dataclass(frozen=True, slots=True)
class Shares:
    """With one more film in the bin itself, once without the finding and once with it."""

    absent: Blocks
    present: Blocks

    def steps(self, errors: float) -> Steps:
        """So many standard errors on either side.

        A limit may not rise where shares do, for blocks are of different size: it is made to, by widening.
        """
        low, high = self.absent.limits(-errors), self.present.limits(errors)
        return Steps(np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high))


def by_finding(scores: Array, labels: Array, draws: int = 1) -> list[Shares]:
    """Of (rows, findings), ``nan`` labels left out; a film counts once, however many rows it has."""
    binned = [_binned(*column, draws) for column in zip(scores.T, labels.T, strict=True)]
    return [Shares(joined(*bins, 0.0), joined(*bins, 1.0)) for bins in binned]


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


def joined(films: Array, present: Array, label: float) -> Blocks:
    """The block of each bin, by the max-min formula (Barlow et al. 1972), with one more film of ``label`` in it.

    That film is in every run that its bin is part of, and no other run counts: so all bins have the same runs.
    """
    many = 1 + _runs(films)
    share = (label + _runs(present)) / many
    least = np.minimum.accumulate(share[:, ::-1], axis=1)[:, ::-1]
    own = np.where(np.tri(len(films), dtype=bool).T, least, -1.0).max(axis=0)
    first = (least == own).argmax(axis=0)
    last = len(films) - 1 - (share[first] == own[:, None])[:, ::-1].argmax(axis=1)
    return Blocks(many[first, last], own)


def _runs(values: Array) -> Array:
    """(first, last): sums over the bins from ``first`` to ``last``, and zero where these are none."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.triu(sums[1:] - sums[:-1, None])


def _binned(scores: Array, labels: Array, draws: int) -> tuple[Array, Array]:
    """How many films are in each bin, and how many of them have the finding."""
    known = ~np.isnan(labels)
    place, bins = np.searchsorted(CUTS, scores[known], "right"), len(CUTS) + 1
    return np.bincount(place, minlength=bins) / draws, np.bincount(place, labels[known], bins) / draws
