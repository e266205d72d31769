"""What waits at the same moment goes through the network together, and nobody can tell from the logits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cds.deadline import NEVER, Deadline
from cds.engine.batching import Batched, together
from cds.engine.bundles import Bundle
from cds.engine.network import Inputs, Logits
from cds.engine.note import NoteReader
from cds.errors import Busy, ModelError
from tests.hospital import MODELS


class Sums:
    """Gives the sum of each row, once it may; remembers how often it was begun, and how many rows there were."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.begun = threading.Event()
        self.batches: list[int] = []
        self.runs = 0

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        self.runs += 1
        self.begun.set()
        assert self.may.wait(30)
        x = inputs["x"]
        if (x < 0).any():
            raise ModelError("no number below zero")
        self.batches.append(len(x))
        return np.asarray(x.sum(axis=1, keepdims=True), np.float32)


@pytest.fixture
def network() -> Sums:
    return Sums()


def rows(*values: float) -> Inputs:
    return {"x": np.array([[value, value] for value in values], np.float32)}


def asked(network: Sums, batched: Batched, several: Sequence[Inputs]) -> list[list[float]]:
    """All of ``several`` while the network is busy with something else."""
    with ThreadPoolExecutor(len(several) + 1) as threads:
        first = threads.submit(batched, rows(0))
        assert network.begun.wait(30)
        waiting = [threads.submit(batched, one) for one in several]
        while len(batched) < len(several):
            threading.Event().wait(0.001)
        network.may.set()
        first.result(30)
        return [one.result(30)[:, 0].tolist() for one in waiting]


def test_alone_it_does_not_wait(network: Sums) -> None:
    network.may.set()
    assert Batched(network, rows=16)(rows(1, 2))[:, 0].tolist() == [2, 4]
    assert network.batches == [2]


def test_what_waits_goes_together_and_each_gets_its_own(network: Sums) -> None:
    assert asked(network, Batched(network, rows=16), [rows(1), rows(2, 3), rows(4)]) == [[2], [4, 6], [8]]
    assert network.batches == [1, 4]


def test_no_more_rows_than_there_may_be_unless_one_alone_has_more(network: Sums) -> None:
    asked(network, Batched(network, rows=2), [rows(1), rows(1), rows(1, 2, 3), rows(1)])
    assert network.batches == [1, 2, 3, 1]


def test_batches_run_side_by_side(network: Sums) -> None:
    batched = Batched(network, rows=1, abreast=2)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(batched, rows(value)) for value in (1, 2)]
        while network.runs < 2:
            threading.Event().wait(0.001)
        network.may.set()
        assert [one.result(30)[:, 0].tolist() for one in both] == [[2], [4]]


def test_what_cannot_be_computed_is_said_to_all_who_wait_for_it(network: Sums) -> None:
    network.may.set()
    batched = Batched(network, rows=16)
    with pytest.raises(ModelError, match="below zero"):
        batched(rows(-1))
    assert batched(rows(1))[:, 0].tolist() == [2]


def test_what_is_not_begun_in_time_is_not_computed(network: Sums) -> None:
    batched = Batched(network, rows=1)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(batched, rows(0))
        assert network.begun.wait(30)
        late = threads.submit(batched, rows(1), Deadline.after(20))
        threading.Event().wait(0.05)
        network.may.set()
        first.result(30)
        with pytest.raises(Busy):
            late.result(30)
    assert network.batches == [1]


def test_tokens_are_filled_up_to_the_longest_and_masked() -> None:
    short = {"input_ids": np.array([[5, 6]]), "attention_mask": np.ones((1, 2), np.int64)}
    long = {"input_ids": np.array([[7, 8, 9]]), "attention_mask": np.ones((1, 3), np.int64)}
    joined = together([short, long])
    assert joined["input_ids"].tolist() == [[5, 6, 0], [7, 8, 9]]
    assert joined["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]


def test_company_changes_no_score_of_a_note() -> None:
    reader = NoteReader.load(Bundle.load(MODELS / "clinical-note"), "cpu")
    network = reader._network
    one, other = (
        reader._tokens.inputs([("FINDINGS", text)])
        for text in ("No effusion.", "Large right pneumothorax with mediastinal shift, tube placed.")
    )
    beside = network(together([one, other]))
    assert np.allclose(beside[0], network(one)[0], atol=1e-4)
    assert np.allclose(beside[1], network(other)[0], atol=1e-4)
