"""Prediction sets over {present, absent} at 90 % (class-conditional conformal prediction, Vovk 2012).

"Absent" stays in the set up to the score that 90 % of the films without the finding do not exceed; "present", down
to the score that 90 % of those with it reach. For the latter there are too few films of most findings, so a film
counts by its place among the films without its finding, and these places are pooled over all findings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.fusion.pairs import Array

LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class Sets:
    """By finding: from which score on "present" is in the set, and up to which score "absent" is."""

    present: Array
    absent: Array

    def holds(self, scores: Array) -> tuple[Array, Array]:
        """Whether "present" and whether "absent" is in the set of each of (rows, findings), as 0 or 1."""
        return (scores >= self.present).astype(float), (scores <= self.absent).astype(float)


def fitted(scores: Array, labels: Array) -> Sets:
    """From (rows, findings) that the scores were not fitted on; ``nan`` labels are left out."""
    without = [np.sort(column[known == 0]) for column, known in zip(scores.T, labels.T, strict=True)]
    places = np.concatenate(
        [
            np.searchsorted(one, column[known == 1], "left") / len(one)
            for one, column, known in zip(without, scores.T, labels.T, strict=True)
        ]
    )
    lowest = _quantile(places, math.floor((1 - LEVEL) * (len(places) + 1)))
    present = [np.quantile(one, lowest, method="lower") for one in without]
    absent = [_quantile(one, math.ceil(LEVEL * (len(one) + 1))) for one in without]
    return Sets(np.array(present), np.array(absent))


def _quantile(values: Array, rank: int) -> float:
    """The value of that rank, counted from one."""
    return float(np.sort(values)[min(max(rank, 1), len(values)) - 1])
