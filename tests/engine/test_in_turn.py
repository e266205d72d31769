"""Heat maps are made one at a time, each by its deadline."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from cds.deadline import NEVER, Deadline
from cds.engine.image import Picture
from cds.engine.in_turn import InTurn
from cds.errors import Busy, NoSaliency


class Maps:
    """Gives a map of the output's number, once it may; remembers how many were under way at once."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.begun = threading.Event()
        self.under_way = self.most = 0

    def __call__(self, pixel_values: NDArray[np.float32], output: int, deadline: Deadline = NEVER) -> Picture:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.begun.set()
        assert self.may.wait(30)
        self.under_way -= 1
        if output < 0:
            raise NoSaliency("not available")
        return np.full((2, 2), output, np.float32)


PIXELS = np.zeros((1, 1, 2, 2), np.float32)


@pytest.fixture
def maps() -> Maps:
    return Maps()


def test_a_crowd_gets_each_its_own_one_after_another(maps: Maps) -> None:
    explain = InTurn(maps)
    maps.may.set()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda output: explain(PIXELS, output), range(40)))
    assert [float(one.mean()) for one in made] == list(range(40))
    assert maps.most == 1


def test_what_is_not_begun_by_its_deadline_is_refused(maps: Maps) -> None:
    explain = InTurn(maps)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(explain, PIXELS, 1)
        assert maps.begun.wait(30)
        with pytest.raises(Busy):
            explain(PIXELS, 2, Deadline.after(50))
        maps.may.set()
        assert first.result(30).mean() == 1


def test_one_that_cannot_be_made_harms_no_other(maps: Maps) -> None:
    explain = InTurn(maps)
    maps.may.set()
    with pytest.raises(NoSaliency):
        explain(PIXELS, -1)
    assert explain(PIXELS, 3).mean() == 3
