"""Whether there is writing in the picture itself: a name there identifies a person whatever the header says.

A line of characters has what no anatomy has: one row of it turns from dark to bright and back many times within a
short stretch, and so do the rows above and below it. A single letter, such as a side marker, does not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP = 0.25
"""Neighbouring pixels that differ by more are the edge of a stroke; of grain and bone they differ by far less."""
STRETCHES = 12
"""Into so many parts a row is cut."""
EDGES = 8
"""A part with this many edges has three or four characters in it."""
WINDOW, ROWS = 6, 4
"""Of so many rows that are looked at, at least this many are full of edges."""
REDUCED_SIDE = 800
"""A film at a reduced resolution whose shorter side has fewer pixels is not looked at: ribs would be letters."""


def has_writing(pixels: NDArray[np.float32], *, reduced: bool = False) -> bool:
    """``pixels``: (rows, columns) in 0..1. Faint or blurred writing is missed, and so are two or three letters.

    ``reduced``: the film had more pixels. Its letters have fewer rows then, so that every one is looked at.
    """
    if reduced and min(pixels.shape) < REDUCED_SIDE:
        return False
    rows = pixels if reduced else pixels[::2]
    length = rows.shape[1] // STRETCHES
    if length < EDGES or len(rows) < WINDOW:
        return False
    edges = np.abs(rows[:, 1:] - rows[:, :-1]) > np.float32(STEP)
    crowded = edges.any(axis=1)
    if crowded.sum() < ROWS:
        return False
    return any(_a_line(edges[:, shift:], length) for shift in (0, length // 2))


def _a_line(edges: NDArray[np.bool_], length: int) -> bool:
    parts = edges.shape[1] // length
    counted = edges[:, : parts * length].reshape(len(edges), parts, length).sum(axis=2, dtype=np.int16)
    full = np.cumsum(np.pad(counted >= EDGES, ((1, 0), (0, 0))), axis=0)
    return bool((full[WINDOW:] - full[:-WINDOW] >= ROWS).any())
