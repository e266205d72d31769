"""So much at once for each server that is asked, and no more: what cannot be done in time is not begun.

A bulkhead (Nygard, "Release It!", "Stability Patterns"): a PACS that hangs takes no place from another, and a
crowd of calls that each begin a little make all of them late. A place is its holder's until it has ended, or until
nobody waits for it any more.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from cds.deadline import Deadline
from cds.errors import Busy


class Bulkhead:
    """``places`` at once for one server, and up to ``waiting`` who wait for one; any number of servers."""

    def __init__(self, places: int, waiting: int) -> None:
        self._places = places
        self._most_waiting = waiting
        self._changed = threading.Condition()
        self._held: defaultdict[str, list[Deadline]] = defaultdict(list)
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def place(self, server: str, deadline: Deadline) -> Iterator[None]:
        """Wait for a place; raises :class:`~cds.errors.Busy` where there is none by ``deadline``.

        At once, where too many wait already.
        """
        with self._changed:
            self._take(server, deadline)
        try:
            yield
        finally:
            with self._changed:
                self._held[server].remove(deadline)
                self._changed.notify_all()

    def _take(self, server: str, deadline: Deadline) -> None:
        if self._full(server) and self._waiting[server] >= self._most_waiting:
            raise Busy("there is too much to do")
        self._waiting[server] += 1
        try:
            while self._full(server):
                if deadline.passed:
                    raise Busy("there was too much to do")
                awaited = [held.remaining for held in self._held[server] if not held.passed]
                self._changed.wait(min([*awaited, deadline.remaining, threading.TIMEOUT_MAX]))
        finally:
            self._waiting[server] -= 1
        self._held[server].append(deadline)

    def _full(self, server: str) -> bool:
        return sum(not held.passed for held in self._held[server]) >= self._places
