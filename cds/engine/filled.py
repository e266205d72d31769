"""Inputs of few shapes: what comes is filled up to the next larger one, for what is prepared shape by shape."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds.deadline import NEVER, Deadline
from cds.engine.network import MASK, Inputs, Logits, Network

MOST_ROWS = 256
"""What goes through a network on a GPU at once."""
LENGTHS = (32, 64, 96, 128, 192, 256, 384, 512)
"""Tokens of a row."""


def row_counts(most: int) -> tuple[int, ...]:
    """1, 2, 4 and so on up to ``most``: no more than half of what goes through a network is filling."""
    return *itertools.takewhile(lambda count: count < most, (2**power for power in itertools.count())), most


def token_counts(most: int) -> tuple[int, ...]:
    """Of :data:`LENGTHS` those below ``most``, and ``most``; none where it is 0."""
    return (*(length for length in LENGTHS if length < most), most) if most else ()


class Filled:
    """A network that is asked in few shapes; nobody can tell from its logits.

    Rows are filled up with copies of the last, tokens with ones that are masked. What is larger than all shapes is
    left as it is.
    """

    def __init__(self, network: Network, counts: Sequence[int], lengths: Sequence[int] = ()) -> None:
        """``counts`` of rows and ``lengths`` of tokens, each rising; without lengths there are no tokens."""
        self._network = network
        self._counts = counts
        self._lengths = lengths

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """Raise what the network raises."""
        count, *shape = next(iter(inputs.values())).shape
        rows = _next(self._counts, count) - count
        tokens = _next(self._lengths, shape[0]) - shape[0] if MASK in inputs else 0
        filled = {name: _filled(values, rows, tokens) for name, values in inputs.items()}
        return self._network(filled, deadline)[:count]


def shapes(example: Inputs, counts: Sequence[int], lengths: Sequence[int]) -> Iterator[Inputs]:
    """One input like ``example`` of each shape that a :class:`Filled` asks in, the largest first."""
    for count in reversed(counts):
        for length in reversed(lengths) if MASK in example else (None,):
            yield {name: _sized(values, count, length) for name, values in example.items()}


def _next(sizes: Sequence[int], wanted: int) -> int:
    return next((size for size in sizes if size >= wanted), wanted)


def _filled(values: NDArray[Any], rows: int, tokens: int) -> NDArray[Any]:
    longer = np.pad(values, ((0, 0), (0, tokens))) if tokens else values
    return np.concatenate([longer, np.repeat(longer[-1:], rows, axis=0)]) if rows else longer


def _sized(values: NDArray[Any], count: int, length: int | None) -> NDArray[Any]:
    one = values[:1] if length is None else np.resize(values[:1], (1, length))
    return np.repeat(one, count, axis=0)
