"""Rows of tokens go through a network with others of like length, and each gets its own logits."""

from __future__ import annotations

import numpy as np
import pytest

from cds.deadline import NEVER, Deadline
from cds.engine.by_length import ByLength, of_like_length
from cds.engine.network import MASK, Inputs, Logits


class Shapes:
    """Says of each row its first token, and remembers how large the batches were."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        self.seen.append(inputs["input_ids"].shape)
        assert inputs[MASK].shape == inputs["input_ids"].shape
        return inputs["input_ids"][:, :1].astype(np.float32)


def tokens(*lengths: int) -> Inputs:
    """Rows of so many tokens, each of which is the number of its row."""
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return {"input_ids": mask * np.arange(len(lengths))[:, None], MASK: mask}


def test_a_long_row_fills_up_no_short_one() -> None:
    network = Shapes()
    said = ByLength(network)(tokens(10, 80, 12, 11))
    assert said[:, 0].tolist() == [0, 1, 2, 3]
    assert network.seen == [(1, 80), (3, 12)]


@pytest.mark.parametrize("lengths", [[20], [20] * 16, [30, 12, 25]])
def test_rows_that_fit_go_together(lengths: list[int]) -> None:
    assert len(list(of_like_length(lengths))) == 1


def test_every_row_goes_once() -> None:
    lengths = [int(x) for x in np.random.default_rng(0).integers(4, 96, 100)]
    assert sorted(row for batch in of_like_length(lengths) for row in batch) == list(range(100))
