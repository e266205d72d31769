"""Weights, intervals and sets of a fusion bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.bundle import HIGH
from training.fusion import conformal, stacking, widths
from training.fusion.conformal import Sets
from training.fusion.pairs import ASSUMED, DRAWS, Array, Pairs, Scored, paired
from training.fusion.stacking import Stack
from training.fusion.venn_abers import Steps, by_finding


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a bundle holds; ``steps`` by the parts that a probability rests on, each by finding."""

    stack: Stack
    errors: Mapping[str, float]
    """How many standard errors the intervals reach beyond, by what a probability rests on."""
    steps: Mapping[str, Sequence[Steps]]
    sets: Sets
    films: int
    notes: int

    def fused(self, pairs: Pairs) -> Array:
        """As the service has it: what the image shows clearly stays (:mod:`cds.fusion.late`)."""
        fused = self.stack.probabilities(pairs.image, pairs.note)
        return np.where(pairs.image >= HIGH, np.maximum(fused, pairs.image), fused)


def fit(films: Scored, notes: Scored, others: Sequence[Scored]) -> Fitted:
    """From films and notes that the models were not trained on.

    ``others``: more notes, which choose how wide an interval is where a note has a part in it.
    """
    pairs = paired(films, notes, ASSUMED, draws=DRAWS, seed=1)
    stack = stacking.fit_with_best_prior(pairs)
    fused = stacking.out_of_fold(pairs, stack.prior)
    shares = {
        "both": by_finding(fused, pairs.labels, DRAWS),
        "image": by_finding(films.probabilities, films.labels),
        "note": by_finding(notes.probabilities, notes.labels),
    }
    errors = {
        "both": widths.narrowest(widths.of_both(films, notes, others, stack.prior)),
        "image": widths.narrowest(widths.of_image(films)),
        "note": widths.narrowest(widths.of_note(notes, others)),
    }
    return Fitted(
        stack=stack,
        errors=errors,
        steps={parts: [one.steps(errors[parts]) for one in each] for parts, each in shares.items()},
        sets=conformal.fitted(fused, pairs.labels),
        films=len(films),
        notes=len(notes),
    )
