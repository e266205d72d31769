"""The same question is answered once at a time, by all workers together: whoever comes second waits for the first.

In one process they wait for the same future; between processes the first holds a lease in Valkey, and prolongs it
until it has answered: a CT takes minutes. Not prolonged, a lease ends by itself, so a worker that dies delays the
others and stops none. While Valkey is away each process works for itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from cds.errors import Unreachable

T = TypeVar("T")

LEASE_S = 20.0
"""For so long a worker that died delays the others."""
PROLONGED = 4
"""Times in the span of a lease: one that comes late costs nothing yet."""
LOOK_S = 0.02
"""How often a process looks whether another's lease has ended."""


class Leases(Protocol):
    """Marks that all processes see, and that end by themselves."""

    def once(self, key: str, ttl_s: float, /) -> bool: ...

    def has(self, key: str, /) -> bool: ...

    def prolong(self, key: str, ttl_s: float, /) -> None: ...

    def forget(self, key: str, /) -> None: ...


class Once:
    """Answers each key's question in one thread of one process at a time."""

    def __init__(self, leases: Leases, *, lease_s: float = LEASE_S) -> None:
        self._leases = leases
        self._lease_s = lease_s
        self._lock = threading.Lock()
        self._answering: dict[str, Future[Any]] = {}

    def __call__(self, key: str, kept: Callable[[], T | None], answer: Callable[[], T]) -> T:
        """What is ``kept``, else what ``answer`` returns here, or returned where it was asked first.

        ``answer`` keeps what it returns. Who waits for it in this process gets its exception too; another process
        then answers for itself.
        """
        with self._lock:
            first = self._answering.get(key)
            if first is None:
                mine: Future[T] = Future()
                self._answering[key] = mine
        if first is not None:
            value: T = first.result()
            return value
        try:
            mine.set_result(self._alone(f"answering:{key}", kept, answer))
        except BaseException as error:
            mine.set_exception(error)
        finally:
            with self._lock:
                del self._answering[key]
        return mine.result()

    def answering(self, key: str) -> bool:
        """Whether this process is at it, so that who asks now has only to wait."""
        return key in self._answering

    def _alone(self, lease: str, kept: Callable[[], T | None], answer: Callable[[], T]) -> T:
        """Among the processes."""
        while not self._leased(lease):
            while self._leases.has(lease):
                time.sleep(LOOK_S)
        try:
            with self._prolonged(lease):
                found = kept()
                return answer() if found is None else found
        finally:
            self._leases.forget(lease)

    def _leased(self, lease: str) -> bool:
        try:
            return self._leases.once(lease, self._lease_s)
        except Unreachable:
            return True

    @contextmanager
    def _prolonged(self, lease: str) -> Iterator[None]:
        """Within the context the lease does not end."""
        over = threading.Event()

        def prolong() -> None:
            while not over.wait(self._lease_s / PROLONGED):
                self._leases.prolong(lease, self._lease_s)

        threading.Thread(target=prolong, name="lease", daemon=True).start()
        try:
            yield
        finally:
            over.set()
