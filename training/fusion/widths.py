"""How many standard errors wide an interval is: the fewest by which nine in ten groups are covered in trials.

Of the image alone the trials are real: each half of the films is held against what the other half made. A number
that halves choose is as a rule too small for all films, since a group's whole films, and the one film more of
Venn-Abers, weigh less where films are more; with notes it was (docs/evaluation.md). So there the trials are of as
many films as there are, drawn again with replacement, and with labels drawn too: a finding is there as often as
the score says, calibrated once more. (Films drawn with the labels they have do not tell how far such estimates
are off: Sen et al., Ann. Statist. 2010.) Notes share phrases: new ones are written anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.calibration import platt, sigmoid
from training.fusion import stacking
from training.fusion.pairs import ASSUMED, DRAWS, Array, Pairs, Scored, halves, paired
from training.fusion.venn_abers import Shares, by_finding, covered

NOMINAL = 0.9
ERRORS: Array = np.arange(0.0, 2.01, 0.125)
"""Standard errors on either side, of which :func:`narrowest` chooses."""
REPEATS = 4
"""How often films are halved."""
ROUNDS = 24
"""How often films are drawn again: the share of groups covered is then known to 1 %."""


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


def of_image(films: Scored) -> list[Trial]:
    return [_alone(films.where(~half), films.where(half)) for half in halves(films.patients, REPEATS)]


def of_note(notes: Scored, others: Sequence[Scored]) -> list[Trial]:
    return [_alone(notes, new) for new in others]


def of_both(films: Scored, notes: Scored, others: Sequence[Scored], prior: float) -> list[Trial]:
    """Weights are fitted anew each time, and new films come with notes of ``others``."""
    return [
        _together(
            paired(made, notes, ASSUMED, draws=DRAWS, seed=2 * turn),
            paired(new, others[turn % len(others)], ASSUMED, draws=1, seed=2 * turn + 1),
            prior,
        )
        for turn, (made, new) in enumerate(drawn_again(films))
    ]


def _alone(made: Scored, new: Scored) -> Trial:
    return Trial(by_finding(made.probabilities, made.labels), new.probabilities, new.labels)


def _together(made: Pairs, new: Pairs, prior: float) -> Trial:
    shares = by_finding(stacking.out_of_fold(made, prior), made.labels, made.draws)
    return Trial(shares, stacking.fit(made, prior).probabilities(new.image, new.note), new.labels)


def drawn_again(films: Scored) -> Iterator[tuple[Scored, Scored]]:
    """Each time two sets of as many films, without ``nan`` labels."""
    random, chances = np.random.default_rng(0), _calibrated(films)
    for _ in range(ROUNDS):
        yield _drawn(films, chances, random), _drawn(films, chances, random)


def _drawn(films: Scored, chances: Array, random: np.random.Generator) -> Scored:
    rows = random.integers(0, len(films), len(films))
    labels = (random.random(chances.shape) < chances[rows]).astype(float)
    return Scored(films.probabilities[rows], labels, films.patients[rows])


def _calibrated(films: Scored) -> Array:
    """(films, findings): how often a finding is there at such a score, by these films' own labels (Platt 1999)."""
    logits = np.log(films.probabilities / (1 - films.probabilities))
    scaled = [platt(*column) for column in zip(logits.T, films.labels.T, strict=True)]
    slope, intercept = (np.array([one[part] for one in scaled]) for part in ("slope", "intercept"))
    return sigmoid(logits * slope + intercept)
