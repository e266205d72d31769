"""How many groups of like score the intervals cover, in turns.

Of 70 groups of the test films chance moves the share by some 7 %. So these are put together with the validation
films, and each half of the patients is covered by weights and intervals that the other half alone made, their
width included, the halves drawn several times. That measures the way of making intervals, on nearly twice the
films, none of which the image model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training.fusion.fitting import Fitted, fit
from training.fusion.pairs import ASSUMED, DRAWS, OTHERWISE, Assumption, Scored, halves, paired
from training.fusion.venn_abers import covered

TURNS = 6
SEED = 2


class Covered(NamedTuple):
    """``share`` of so many ``groups``; ``lowest`` and ``highest`` of one half's."""

    share: float
    lowest: float
    highest: float
    groups: int


def in_turns(films: Scored, notes: Scored, others: Sequence[Scored], new: Scored) -> dict[str, Covered]:
    """By what the probabilities rest on, and what is assumed of the notes.

    ``notes`` and ``others`` are those that each half is fitted with, ``new`` those of the films left out.
    """
    turns = [
        _turn(fit(films.where(~half), notes, others), films.where(half), new)
        for half in halves(films.patients, TURNS)
    ]
    return {by: _over([turn[by] for turn in turns]) for by in turns[0]}


def _turn(fitted: Fitted, films: Scored, notes: Scored) -> Mapping[str, list[bool]]:
    image = covered(films.probabilities, films.labels, fitted.steps["image"])
    return {"image": image} | {
        f"both, {assumed}": _both(fitted, films, notes, assumed) for assumed in (ASSUMED, *OTHERWISE)
    }


def _both(fitted: Fitted, films: Scored, notes: Scored, assumed: Assumption) -> list[bool]:
    pairs, first = paired(films, notes, assumed, draws=DRAWS, seed=SEED), slice(None, None, DRAWS)
    return covered(fitted.fused(pairs)[first], pairs.labels[first], fitted.steps["both"])


def _over(halves: Sequence[list[bool]]) -> Covered:
    shares = [float(np.mean(half)) for half in halves]
    return Covered(float(np.mean(shares)), min(shares), max(shares), sum(map(len, halves)))
