"""Work in the order of its deadlines, earliest first; what cannot be begun in time is refused at once."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cds.deadline import Deadline
from cds.errors import Busy

Task = TypeVar("Task")
Result = TypeVar("Result")

LEARNING = 0.2
"""How much the newest duration moves the mean."""
ROOM, MOST_ROOM_S = 1.3, 0.1
SLOWER = 2.0
"""So much longer what waits may take than it took of late, and whoever was let in is still in time: as when others
take half of the cores. A shorter queue costs no work, for all takers are busy as long as it is not empty."""
MOST_WAITING = 1_000
"""More than this is never answered in time, whatever the deadlines say."""


@dataclass(frozen=True, slots=True)
class Job(Generic[Task, Result]):
    """One task, its result to be."""

    task: Task
    deadline: Deadline
    result: Future[Result] = field(default_factory=Future)

    def begins(self) -> bool:
        """Whether whoever asked still waits for it; from then on it is waited for until it is done."""
        return self.result.running() or self.result.set_running_or_notify_cancel()

    def fail(self, reason: Exception) -> None:
        self.result.set_exception(reason)


class DeadlineQueue(Generic[Task, Result]):
    """Between any number of threads that put and ``takers`` that take; a task that is begun is finished."""

    def __init__(self, takers: int) -> None:
        self._takers = takers
        self._ready = threading.Condition()
        self._waiting: list[tuple[float, int, Job[Task, Result]]] = []
        self._number = itertools.count()
        self._mean_s = 0.0
        self._taken_s = 0.0

    def done(self, task: Task, deadline: Deadline) -> Result:
        """The result; raises what the task raised, and :class:`Busy` where it is not begun by ``deadline``.

        That is told then, however long the takers are at something else.
        """
        result = self.put(task, deadline)
        try:
            return result.result(min(deadline.remaining, threading.TIMEOUT_MAX))
        except TimeoutError:
            if result.cancel():
                raise Busy("there was more to do than could be done in time") from None
            return result.result()

    def put(self, task: Task, deadline: Deadline) -> Future[Result]:
        """The result to be; it is :class:`Busy` where its turn comes too late to be done by the deadline.

        Raises :class:`Busy` at once where that is to be expected.
        """
        job: Job[Task, Result] = Job(task, deadline)
        with self._ready:
            if not self._in_time(deadline):
                raise Busy("there is more to do than can be done in time")
            self._push(job)
        return job.result

    def put_back(self, job: Job[Task, Result]) -> None:
        """A job whose taker broke down; :meth:`put` had let it in."""
        with self._ready:
            self._push(job)

    @contextmanager
    def taken(
        self, fits: Callable[[Sequence[Task], Task], bool] = lambda tasks, task: False
    ) -> Iterator[list[Job[Task, Result]]]:
        """Wait for the most urgent job; with it, of those that wait, the next ones as long as they ``fit``.

        Never waits for a second one. Within the context they are under way.
        """
        with self._ready:
            jobs = self._take(fits)
        started = time.perf_counter()
        try:
            yield jobs
        finally:
            took = time.perf_counter() - started
            with self._ready:
                self._mean_s += (took / len(jobs) - self._mean_s) * LEARNING
                self._taken_s += (took - self._taken_s) * LEARNING

    def __len__(self) -> int:
        return len(self._waiting)

    def _in_time(self, deadline: Deadline) -> bool:
        """Rather refuse at once what could just be done than let in what is dropped after a long wait.

        No time is lost by it: there is enough else to do.
        """
        earlier = sum(at <= deadline.at for at, _, _ in self._waiting)
        done_after_s = SLOWER * earlier / self._takers * self._mean_s + self._takes_s()
        return len(self._waiting) < MOST_WAITING and done_after_s < deadline.remaining

    def _takes_s(self) -> float:
        """How long what is begun now takes, with some room; one slow moment must not shut out everything."""
        return min(ROOM * self._taken_s, MOST_ROOM_S)

    def _push(self, job: Job[Task, Result]) -> None:
        heapq.heappush(self._waiting, (job.deadline.at, next(self._number), job))
        self._ready.notify()

    def _take(self, fits: Callable[[Sequence[Task], Task], bool]) -> list[Job[Task, Result]]:
        jobs = [self._first()]
        while self._waiting and fits([job.task for job in jobs], self._waiting[0][2].task):
            job = heapq.heappop(self._waiting)[2]
            if job.begins():
                jobs.append(job)
        return jobs

    def _first(self) -> Job[Task, Result]:
        while True:
            while not self._waiting:
                self._ready.wait()
            job = heapq.heappop(self._waiting)[2]
            if not job.begins():
                continue
            # What would end too late helps nobody, and holds up what would not.
            if job.deadline.remaining > self._takes_s():
                return job
            job.fail(Busy("there was more to do than could be done in time"))
