"""Rows of tokens, those of like length together: on a CPU filling up costs as much as words do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cds.deadline import NEVER, Deadline
from cds.engine.network import MASK, Inputs, Logits, Network

CALL = 24
"""Tokens that take as long as beginning once more does: then all weights come out of memory again."""


class ByLength:
    """A network of tokens, called as often as its rows are of different length."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """Raise what the network raises."""
        lengths = inputs[MASK].sum(axis=1).tolist()
        batches = list(of_like_length(lengths))
        said = [self._network(_cut(inputs, rows, lengths[rows[0]]), deadline) for rows in batches]
        return np.concatenate(said)[np.argsort(np.concatenate(batches))]


def of_like_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Which of them go together, the longest first: to fill them up costs less than to begin once more."""
    together: list[int] = []
    filled = 0
    for row in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        filled += lengths[together[0]] - lengths[row] if together else 0
        if filled > CALL:
            yield together
            together, filled = [], 0
        together.append(row)
    if together:
        yield together


def _cut(inputs: Inputs, rows: Sequence[int], length: int) -> Inputs:
    """Tokens are filled up at their end."""
    return {name: values[rows, :length] for name, values in inputs.items()}
