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
    assert take(work, Deadline.after(50))
    work.begin()
    with pytest.raises(Busy):
        take(work, Deadline.after(50))


def test_who_waits_gets_the_place_that_becomes_free(work: Work) -> None:
    work.begin()
    work.begin()
    waiting = work.begin()
    work.end.set()
    waiting.result(10)


def took(work: Work, *seconds: float) -> None:
    """What was done lately."""
    for each in seconds:
        with work.bulkhead.place(PACS, NEVER):
            time.sleep(each)


def test_who_would_come_too_late_is_told_so_at_once(work: Work) -> None:
    took(work, 0.05, 0.05)
    due = Deadline.after(40)
    with pytest.raises(Busy):
        take(work, due)
    assert not due.passed


def test_one_that_took_long_says_nothing_of_the_next(work: Work) -> None:
    took(work, 0.0, 0.05)
    assert take(work, Deadline.after(40))


def test_one_that_was_quick_shows_that_it_is_quick_again(work: Work) -> None:
    took(work, 0.05, 0.05, 0.0)
    assert take(work, Deadline.after(40))


def test_what_takes_too_long_is_tried_now_and_then(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    took(work, 0.05, 0.05)
    monkeypatch.setattr("cds.bulkhead.TRY_S", 0.0)
    assert take(work, Deadline.after(40))


def test_what_has_not_ended_takes_at_least_so_long(work: Work) -> None:
    work.begin()
    time.sleep(0.05)
    with pytest.raises(Busy):
        take(work, Deadline.after(40))


def test_what_was_broken_off_would_have_taken_longer(work: Work) -> None:
    for _ in range(2):
        with pytest.raises(Busy), work.bulkhead.place(PACS, Deadline.after(200)):
            raise Busy("the engine has too much to do")
    with pytest.raises(Busy):
        take(work, Deadline.after(100))


def test_who_waits_leaves_as_soon_as_it_would_come_too_late(work: Work) -> None:
    took(work, 0.1, 0.1)
    work.begin()
    work.begin()
    due = Deadline.after(200)
    with pytest.raises(Busy):
        take(work, due)
    assert not due.passed


def test_who_has_a_place_needs_no_other(work: Work) -> None:
    work.begin()
    with work.bulkhead.place(PACS, NEVER), work.bulkhead.place(PACS, NEVER):
        pass


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
