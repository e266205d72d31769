"""Alone a call has all cores; who comes meanwhile has one, and takes none away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cds.deadline import NEVER, Deadline
from cds.engine.abreast import Abreast
from cds.engine.network import Inputs, Logits
from cds.errors import ModelError

ONE: Inputs = {"x": np.zeros((1, 1), np.float32)}


class Answers:
    """Always the same, once it may."""

    def __init__(self, logit: float) -> None:
        self.may = threading.Event()
        self.begun = threading.Event()
        self._logits = np.full((1, 1), logit, np.float32)

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        self.begun.set()
        assert self.may.wait(30)
        return self._logits


class Breaks:
    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        raise ModelError("no such input")


def test_in_company_each_has_a_core_and_afterwards_one_alone_has_all_again() -> None:
    all_cores, one_core = Answers(1), Answers(2)
    one_core.may.set()
    network = Abreast(all_cores, one_core)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(network, ONE)
        assert all_cores.begun.wait(30)
        assert network(ONE) == [[2]]
        all_cores.may.set()
        assert first.result(30) == [[1]]
    assert network(ONE) == [[1]]


def test_one_that_fails_is_no_company() -> None:
    in_company = Answers(2)
    network = Abreast(Breaks(), in_company)
    for _ in range(2):
        with pytest.raises(ModelError, match="no such input"):
            network(ONE)
    assert not in_company.begun.is_set()
