"""Unguessable handles to what we hold for a while: launches, codes, refresh tokens, orders being written.

Held in memory. A sandbox that is started again has forgotten them, and its apps are launched afresh.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")
Clock = Callable[[], float]


class Handles(Generic[Value]):
    """Handles to values; each lives ``lifetime`` seconds, and the oldest go where there are too many."""

    def __init__(self, lifetime: float, *, limit: int = 10_000, clock: Clock = time.time) -> None:
        self._lifetime = lifetime
        self._limit = limit
        self._clock = clock
        self._held: dict[str, tuple[float, Value]] = {}
        self._lock = threading.Lock()

    def issue(self, value: Value) -> str:
        """A new handle to ``value``: 256 bits, base64url."""
        handle = secrets.token_urlsafe(32)
        self.keep(handle, value)
        return handle

    def keep(self, handle: str, value: Value, *, until: float | None = None) -> bool:
        """Hold ``value`` under a handle of the caller's; False where that one is already held."""
        with self._lock:
            self._forget_expired()
            if handle in self._held:
                return False
            while len(self._held) >= self._limit:
                del self._held[next(iter(self._held))]
            self._held[handle] = (until or self._clock() + self._lifetime, value)
            return True

    def get(self, handle: str) -> Value | None:
        with self._lock:
            self._forget_expired()
            held = self._held.get(handle)
            return held[1] if held else None

    def take(self, handle: str) -> Value | None:
        """The value, and the handle is spent: of two who ask at once, one gets it."""
        with self._lock:
            self._forget_expired()
            held = self._held.pop(handle, None)
            return held[1] if held else None

    def take_all(self, value: Value) -> tuple[str, ...]:
        """The handles to ``value``, which are spent."""
        with self._lock:
            spent = tuple(handle for handle, (_, held) in self._held.items() if held == value)
            for handle in spent:
                del self._held[handle]
            return spent

    def _forget_expired(self) -> None:
        now = self._clock()
        for handle in [h for h, (until, _) in self._held.items() if until <= now]:
            del self._held[handle]
