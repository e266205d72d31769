"""The same question is answered once at a time, by all workers together: whoever comes second waits for the first.

In one process they wait for the same future; between processes the first holds a lease in Valkey. The lease ends
by itself, so a worker that dies delays the others and stops none. While Valkey is away each process works for
itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from cds.errors import Unreachable

T = TypeVar("T")

LEASE_S = 20.0
"""Longer than any one computation takes; one that takes longer may be done twice, which is only slow."""
LOOK_S = 0.02
"""How often a process looks whether another's lease has ended."""


class Leases(Protocol):
    """Marks that all processes see, and that end by themselves."""

    def once(self, key: str, ttl_s: float, /) -> bool: ...

    def has(self, key: str, /) -> bool: ...

    def forget(self, key: str, /) -> None: ...


class Once:
    """Answers each key's question in one thread of one process at a time."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
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
            found = kept()
            return answer() if found is None else found
        finally:
            self._leases.forget(lease)

    def _leased(self, lease: str) -> bool:
        try:
            return self._leases.once(lease, LEASE_S)
        except Unreachable:
            return True
