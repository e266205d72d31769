"""A circuit breaker (Nygard, Release It!): who failed again and again is left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 5
LASTING_S = 0.5
"""So many failures in a row, over at least this time: one crash fails all that is in flight, and is no reason."""
REST_S = 1.0
"""After this one call may try again; when it fails, the rest begins anew."""


class Breaker:
    """Of one address; from any thread. Who was let in says how it went, by one of the other two."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._first_failure = 0.0
        self._closed_until = 0.0
        self._resting = False

    def admits(self) -> bool:
        """Whether it may be called now. While it rests, one call in each :data:`REST_S` may."""
        with self._lock:
            if not self._resting:
                return True
            if self._clock() < self._closed_until:
                return False
            self._closed_until = self._clock() + REST_S
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._resting = 0, False

    def failed(self) -> None:
        with self._lock:
            now = self._clock()
            if not self._failures:
                self._first_failure = now
            self._failures += 1
            if self._failures >= FAILURES and now - self._first_failure >= LASTING_S:
                self._resting, self._closed_until = True, now + REST_S
