"""So much at once for each server that is asked, and no more: what cannot be done in time is not begun.

A bulkhead (Nygard, "Release It!", "Stability Patterns"): a PACS that hangs takes no place from another, and a
crowd of calls that each begin a little make all of them late. A place is its holder's until it has ended, or until
nobody waits for it any more. How long work at a server takes is learnt from the work before, and whoever would
come too late by that is told so at once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from cds.deadline import Deadline
from cds.errors import Busy

NEWS = 0.3
"""What the last piece of work weighs in how long one takes, against all before it."""


class Bulkhead:
    """``places`` at once for one server; any number of servers."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._changed = threading.Condition()
        self._held: defaultdict[str, list[Deadline]] = defaultdict(list)
        self._waiting: Counter[str] = Counter()
        self._takes: dict[str, float] = {}
        """Seconds, by server."""

    def check(self, server: str, deadline: Deadline) -> None:
        """Raise :class:`~cds.errors.Busy` where who comes now would come too late."""
        with self._changed:
            if self._full(server):
                self._check_turn(server, deadline)

    @contextmanager
    def place(self, server: str, deadline: Deadline) -> Iterator[None]:
        """Wait for a place; raises :class:`~cds.errors.Busy` where what it is for would not end by ``deadline``.

        A place that is free is given to whoever comes, however long work took before: so it is seen that a server
        is quick again.
        """
        with self._changed:
            self._take(server, deadline)
        began, wanted = time.monotonic(), deadline.remaining
        try:
            yield
        finally:
            with self._changed:
                self._held[server].remove(deadline)
                # What went on when nobody waited for it any more says nothing of what came after that.
                self._learn(server, min(time.monotonic() - began, wanted))
                self._changed.notify_all()

    def _take(self, server: str, deadline: Deadline) -> None:
        if self._full(server):
            self._wait(server, deadline)
        self._held[server].append(deadline)

    def _wait(self, server: str, deadline: Deadline) -> None:
        self._check_turn(server, deadline)
        self._waiting[server] += 1
        try:
            while self._full(server):
                if deadline.passed:
                    raise Busy("there was too much to do")
                awaited = [held.remaining for held in self._held[server] if not held.passed]
                self._changed.wait(min([*awaited, deadline.remaining, threading.TIMEOUT_MAX]))
            if self._takes.get(server, 0.0) > deadline.remaining:
                raise Busy("there was too much to do")
        finally:
            self._waiting[server] -= 1

    def _check_turn(self, server: str, deadline: Deadline) -> None:
        turns = (self._waiting[server] + 1) / self._places
        if (turns + 1) * self._takes.get(server, 0.0) > deadline.remaining:
            raise Busy("there is too much to do")

    def _full(self, server: str) -> bool:
        return sum(not held.passed for held in self._held[server]) >= self._places

    def _learn(self, server: str, took: float) -> None:
        before = self._takes.get(server, took)
        self._takes[server] = before + NEWS * (took - before)
