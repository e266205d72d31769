"""So much at once for each server that is asked, and no more: what cannot be done in time is not begun.

A bulkhead (Nygard, "Release It!", "Stability Patterns"): a PACS that hangs takes no place from another, and a
crowd of calls that each begin a little make all of them late. A place is its holder's until it has ended, or until
nobody waits for it any more. How long work at a server takes is learnt from the work before, and seen of the work
that has not ended: who waits for a place leaves when it would come too late by that. Where nobody could come in
time, one try is made now and then.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cds.deadline import LOOK_S, Deadline
from cds.errors import Busy

TOO_LONG = 2.0
"""Of the time that there was for it: how much longer work takes makes no difference any more."""
TRY_S = 1.0
"""So often work is begun that seems to take too long: else nobody would see that a server is quick again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    began: float
    wanted: float
    """Seconds until it was due."""
    deadline: Deadline


@dataclass(slots=True)
class _Server:
    """What is under way at one server, who waits, and how long it takes there."""

    held: list[_Work] = field(default_factory=list)
    waiting: deque[object] = field(default_factory=deque)
    lately: deque[float] = field(default_factory=lambda: deque([0.0], maxlen=2))
    last_begun: float = float("-inf")

    @property
    def takes(self) -> float:
        """Seconds: the less of the last two, for one long note says nothing, or what is under way has taken."""
        now = time.monotonic()
        return max([min(self.lately), *(now - work.began for work in self.held)])

    @property
    def is_due_a_try(self) -> bool:
        return time.monotonic() - self.last_begun >= TRY_S

    def is_too_late(self, deadline: Deadline) -> bool:
        return deadline.passed or (self.takes > deadline.remaining and not self.is_due_a_try)

    def begin(self, deadline: Deadline) -> _Work:
        work = _Work(time.monotonic(), deadline.remaining, deadline)
        self.held.append(work)
        self.last_begun = work.began
        return work

    def end(self, work: _Work, *, broken_off: bool) -> None:
        self.held.remove(work)
        took = time.monotonic() - work.began
        # Broken off because there was no time left, it would have taken longer.
        self.lately.append(min(max(took, work.wanted) if broken_off else took, TOO_LONG * work.wanted))


class Bulkhead:
    """``places`` at once for one server; any number of servers."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._changed = threading.Condition()
        self._servers: defaultdict[str, _Server] = defaultdict(_Server)
        self._here = threading.local()

    @contextmanager
    def place(self, server: str, deadline: Deadline) -> Iterator[None]:
        """Wait for a place; a thread that has one at ``server`` has it.

        Raises :class:`~cds.errors.Busy` as soon as what it is for would not end by ``deadline``.
        """
        if server in self._held_here:
            yield
            return
        self._held_here.add(server)
        try:
            with self._one(server, deadline):
                yield
        finally:
            self._held_here.remove(server)

    @property
    def _held_here(self) -> set[str]:
        """By this thread."""
        held: set[str] = self._here.__dict__.setdefault("held", set())
        return held

    @contextmanager
    def _one(self, server: str, deadline: Deadline) -> Iterator[None]:
        with self._changed:
            at = self._servers[server]
            work = self._begun(at, deadline)
        broken_off = False
        try:
            yield
        except Exception as error:
            broken_off = deadline.passed or isinstance(error, Busy)
            raise
        finally:
            with self._changed:
                at.end(work, broken_off=broken_off)
                self._changed.notify_all()

    def _begun(self, at: _Server, deadline: Deadline) -> _Work:
        turn = object()
        at.waiting.append(turn)
        try:
            while True:
                if at.is_too_late(deadline):
                    raise Busy("there is too much to do")
                if at.waiting[0] is turn and self._has_place(at):
                    return at.begin(deadline)
                self._changed.wait(min(LOOK_S, deadline.remaining))
        finally:
            at.waiting.remove(turn)

    def _has_place(self, at: _Server) -> bool:
        return sum(not work.deadline.passed for work in at.held) < self._places
