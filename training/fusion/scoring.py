"""What a model says of films."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cds.engine.image import Picture
from cds.findings import PartScore
from training.fusion.pairs import Array, Scored
from training.image.films import KEYS, Films


def scored_films(score: Callable[[Picture], PartScore], films: Films, most: int | None = None) -> Scored:
    scores = [score(one.astype(np.float32) / 255) for one in films.pixels[:most]]
    return Scored(matrix(scores), films.labels[:most], films.patients[:most])


def matrix(scores: Sequence[PartScore]) -> Array:
    """(scores, findings)."""
    return np.array([[score.probabilities[key] for key in KEYS] for score in scores])
