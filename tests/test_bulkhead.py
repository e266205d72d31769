"""So much at once for each server: whoever finds no place in time is told so, and holds up nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from cds.bulkhead import Bulkhead
from cds.deadline import NEVER, Deadline
from cds.errors import Busy

PACS = "https://pacs.example/dicom-web"


class Work:
    """Takes places, and keeps each until it is told to end."""

    def __init__(self, bulkhead: Bulkhead, pool: ThreadPoolExecutor) -> None:
        self.bulkhead = bulkhead
        self.pool = pool
        self.end = threading.Event()

    def begin(self, deadline: Deadline = NEVER, server: str = PACS) -> Future[None]:
        """Begun when this returns, or waiting for a place."""
        taken = threading.Event()
        work = self.pool.submit(self._hold, server, deadline, taken)
        taken.wait(0.1)
        return work

    def _hold(self, server: str, deadline: Deadline, taken: threading.Event) -> None:
        with self.bulkhead.place(server, deadline):
            taken.set()
            assert self.end.wait(10)


@pytest.fixture
def work() -> Iterator[Work]:
    with ThreadPoolExecutor(8) as pool:
        work = Work(Bulkhead(places=2), pool)
        yield work
        work.end.set()


def take(work: Work, deadline: Deadline = NEVER, server: str = PACS) -> bool:
    with work.bulkhead.place(server, deadline):
        return True


def test_who_finds_no_place_by_the_deadline_is_told_so(work: Work) -> None:
    work.begin()
    assert take(work, Deadline.after(0))
    work.begin()
    with pytest.raises(Busy):
        take(work, Deadline.after(50))


def test_who_waits_gets_the_place_that_becomes_free(work: Work) -> None:
    work.begin()
    work.begin()
    waiting = work.begin()
    work.end.set()
    waiting.result(10)


def test_who_would_come_too_late_is_told_so_at_once(work: Work) -> None:
    with work.bulkhead.place(PACS, NEVER):
        time.sleep(0.05)
    work.begin()
    work.begin()
    due = Deadline.after(60)
    with pytest.raises(Busy):
        take(work, due)
    assert not due.passed


def test_whether_one_would_come_too_late_can_be_asked(work: Work) -> None:
    with work.bulkhead.place(PACS, NEVER):
        time.sleep(0.05)
    work.bulkhead.check(PACS, Deadline.after(10))
    work.begin()
    work.begin()
    work.bulkhead.check(PACS, NEVER)
    with pytest.raises(Busy):
        work.bulkhead.check(PACS, Deadline.after(60))


def test_whose_turn_comes_too_late_leaves_it_to_the_next(work: Work) -> None:
    with work.bulkhead.place(PACS, NEVER):
        time.sleep(0.1)
    work.begin(Deadline.after(170))
    work.begin(Deadline.after(170))
    late = work.pool.submit(take, work, Deadline.after(260))
    with pytest.raises(Busy):
        late.result(10)
    assert take(work, Deadline.after(20))


def test_a_place_that_is_free_is_given_however_long_work_took_before(work: Work) -> None:
    with work.bulkhead.place(PACS, NEVER):
        time.sleep(0.05)
    assert take(work, Deadline.after(10))


def test_where_nothing_is_known_of_a_server_one_waits(work: Work) -> None:
    work.begin()
    work.begin()
    waiting = work.begin()
    assert not waiting.done()
    work.end.set()
    waiting.result(10)


def test_a_place_that_nobody_waits_for_any_more_is_free(work: Work) -> None:
    work.begin(Deadline.after(60))
    work.begin(Deadline.after(60))
    assert take(work, NEVER)


def test_a_server_that_hangs_takes_no_place_from_another(work: Work) -> None:
    work.begin()
    work.begin()
    assert take(work, Deadline.after(50), server="https://other.example/dicom-web")


def test_a_place_is_given_back_by_work_that_fails(work: Work) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), work.bulkhead.place(PACS, Deadline.after(50)):
            _ = 1 / 0
