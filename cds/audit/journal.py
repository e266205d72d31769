"""Writes with their audit events: whoever waits for the same chain is committed together.

A tenant's chain has one end, so its writers take turns (:mod:`cds.audit.chain`). The one whose turn it is writes
for all who wait: however many they are, the chain's end is locked and the disk flushed once, and a few ways to the
database do.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cds.audit import chain
from cds.audit.balp import Event
from cds.errors import Unreachable
from cds.store.database import Connection, Database

Write = Callable[[Connection], Iterable[Event]]
"""Writes rows and returns the events that tell of them. May be run again where the transaction failed.

It is called within a pipeline: what it sends is not waited for until it, or its events, ask for an answer. So the
events had best be an iterator that asks (libpq, "Pipeline Mode"). A ``rowcount`` does not ask, and is wrong there.
"""

TOGETHER = 64
"""As many writes share one transaction at most."""


@dataclass(slots=True, eq=False)
class _Entry:
    write: Write
    error: BaseException | None = None
    done: bool = False
    called: threading.Event = field(default_factory=threading.Event)
    """It is done, or it is its turn to write."""


@dataclass(slots=True, eq=False)
class _Queue:
    """Who waits for one chain, in their order; the first of them writes when ``writing`` has ended."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: deque[_Entry] = field(default_factory=deque)
    writing: bool = False

    def join(self, entry: _Entry) -> None:
        with self.lock:
            self.waiting.append(entry)
            if not self.writing:
                self._call_next()

    def taken(self) -> list[_Entry]:
        """Those whose turn it is, out of the queue."""
        with self.lock:
            return [self.waiting.popleft() for _ in range(min(len(self.waiting), TOGETHER))]

    def written(self, entries: Iterable[_Entry]) -> None:
        """Nobody who is done waits for who comes next."""
        with self.lock:
            for entry in entries:
                entry.called.set()
            self._call_next()

    def _call_next(self) -> None:
        self.writing = bool(self.waiting)
        if self.writing:
            self.waiting[0].called.set()


class Journal:
    """Writes to the tenants' chains from any thread of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues: defaultdict[str, _Queue] = defaultdict(_Queue)

    def write(self, tenant: str, write: Write) -> None:
        """Return when rows and events are durable; raise what ``write`` raised, and then nothing of it is kept."""
        mine, queue = _Entry(write), self._queues[tenant]
        queue.join(mine)
        mine.called.wait()
        if not mine.done:
            entries = queue.taken()
            try:
                self._commit(tenant, entries)
            finally:
                queue.written(entries)
        assert mine.done, "a write was forgotten"
        if mine.error:
            raise mine.error

    def _commit(self, tenant: str, entries: Sequence[_Entry]) -> None:
        """Whatever is wrong with one write costs no other."""
        try:
            with self._database.transaction(tenant) as connection, connection.pipeline():
                sent = [entry.write(connection) for entry in entries]
                chain.append_many(connection, tenant, [event for events in sent for event in events])
        except BaseException as error:
            if len(entries) > 1 and not isinstance(error, Unreachable):
                for entry in entries:
                    self._commit(tenant, [entry])
                return
            for entry in entries:
                entry.error = error
        for entry in entries:
            entry.done = True
