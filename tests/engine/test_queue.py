"""Work is begun in the order of its deadlines; what cannot be begun in time is refused, and costs nothing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cds.deadline import NEVER, Deadline
from cds.engine.queue import MOST_WAITING, DeadlineQueue
from cds.errors import Busy

Queue = DeadlineQueue[str, str]


def long() -> Deadline:
    return Deadline.after(60_000)


def begun(queue: Queue) -> str:
    with queue.taken() as [job]:
        job.result.set_result("done")
    return job.task


def test_the_most_urgent_comes_first_whenever_it_was_put() -> None:
    queue = Queue(takers=1)
    for task, seconds in (("later", 20), ("soon", 5), ("last", 30)):
        queue.put(task, Deadline.after(seconds * 1000))
    queue.put("whenever", NEVER)
    assert [begun(queue) for _ in range(4)] == ["soon", "later", "last", "whenever"]


def test_of_the_same_deadline_the_first_comes_first() -> None:
    queue = Queue(takers=1)
    by = long()
    for task in "abc":
        queue.put(task, by)
    assert [begun(queue) for _ in range(3)] == ["a", "b", "c"]


def test_what_is_too_late_when_its_turn_comes_is_not_begun() -> None:
    queue = Queue(takers=1)
    late, in_time = queue.put("late", Deadline.after(1)), queue.put("in time", long())
    time.sleep(0.01)
    assert begun(queue) == "in time"
    assert in_time.result(0) == "done"
    with pytest.raises(Busy):
        late.result(0)


def test_whoever_waits_is_told_by_the_deadline_that_nobody_has_begun() -> None:
    queue = Queue(takers=1)
    with pytest.raises(Busy):
        queue.done("nobody takes anything", Deadline.after(20))
    queue.put("the next", long())
    assert begun(queue) == "the next"


def test_what_was_begun_in_time_is_waited_for() -> None:
    queue = Queue(takers=1)
    by = Deadline.after(500)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(queue.done, "long", by)
        with queue.taken() as [job]:
            while not by.passed:
                time.sleep(0.01)
            job.result.set_result("done")
        assert asked.result() == "done"


def test_what_would_be_too_late_is_refused_at_once() -> None:
    queue = Queue(takers=1)
    for _ in range(30):
        queue.put("one of those that show how long they take", NEVER)
        with queue.taken() as [job]:
            time.sleep(0.01)
            job.result.set_result("done")
    by = Deadline.after(5_000)

    def fill() -> None:
        for _ in range(MOST_WAITING):
            queue.put("of 10 ms each, all by the same time", by)

    with pytest.raises(Busy):
        fill()
    # Not even half of the time is filled: whoever is let in is in time on a machine that is suddenly half as fast.
    assert 50 < len(queue) < 5_000 / 10 / 2
    # What may wait longer is not kept out, and what is more urgent goes before all of them.
    queue.put("patient", long())
    queue.put("urgent", Deadline.after(2_000))


def test_there_is_an_end_to_what_may_wait() -> None:
    queue = Queue(takers=1)
    for _ in range(MOST_WAITING):
        queue.put("patient", NEVER)
    with pytest.raises(Busy):
        queue.put("one more", NEVER)


def test_several_are_taken_together_as_far_as_they_fit() -> None:
    queue = Queue(takers=1)
    by = long()
    for task in ("a", "b", "c", "d"):
        queue.put(task, by)
    with queue.taken(lambda taken, task: len(taken) < 3) as jobs:
        assert [job.task for job in jobs] == ["a", "b", "c"]
    assert len(queue) == 1


def test_what_a_taker_broke_down_at_is_there_again() -> None:
    queue = Queue(takers=2)
    result = queue.put("hard", long())
    with queue.taken() as [job]:
        queue.put_back(job)
    assert begun(queue) == "hard"
    assert result.result(0) == "done"
