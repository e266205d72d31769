"""The AuditEvents of one request, gathered until the transaction that they belong to."""

from __future__ import annotations

import threading
from typing import Any


class Trail:
    """Collects events from any thread; whoever opens the transaction takes them along."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []

    def add(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._events.append(event)

    def take(self) -> list[dict[str, Any]]:
        """All events so far, once."""
        with self._lock:
            taken, self._events = self._events, []
        return taken
