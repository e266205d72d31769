"""Writes with their audit events: whoever waits for the same chain is committed together.

A tenant's chain has one end, so its writers take turns (:mod:`cds.audit.chain`). The one whose turn it is writes
for all who wait: however many they are, the chain's end is locked and the disk flushed once, and a few ways to the
database do.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cds.audit import chain
from cds.audit.balp import Event
from cds.errors import Unreachable
from cds.store.database import Connection, Database

Write = Callable[[Connection], Iterable[Event]]
"""Writes rows and returns the events that tell of them. May be run again where the transaction failed.

It is called within a pipeline: what it sends is not waited for until it, or its events, ask for an answer. So the
events had best be an iterator that asks (libpq, "Pipeline Mode").
"""

TOGETHER = 64
"""As many writes share one transaction at most."""


@dataclass(slots=True, eq=False)
class _Entry:
    write: Write
    error: BaseException | None = None
    done: bool = False


class Journal:
    """Writes to the tenants' chains from any thread of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: defaultdict[str, deque[_Entry]] = defaultdict(deque)
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def write(self, tenant: str, write: Write) -> None:
        """Return when rows and events are durable; raise what ``write`` raised, and then nothing of it is kept."""
        mine, waiting = _Entry(write), self._waiting[tenant]
        waiting.append(mine)
        while not mine.done:
            with self._turns[tenant]:
                if not mine.done:
                    self._commit(tenant, [waiting.popleft() for _ in range(min(len(waiting), TOGETHER))])
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
