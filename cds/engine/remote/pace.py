"""How long answers take of late, and so after how long it is worth asking somebody else too."""

from __future__ import annotations

import threading
from collections import deque

KEPT = 128
ENOUGH = 16
QUANTILE = 0.95
"""One call in twenty is asked twice (Dean & Barroso, The Tail at Scale, CACM 2013)."""


class Pace:
    """From any thread; in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._took: deque[float] = deque(maxlen=KEPT)

    def took(self, seconds: float) -> None:
        with self._lock:
            self._took.append(seconds)

    def patience(self, remaining: float) -> float:
        """The quantile of what is known, and never more than half of what remains."""
        with self._lock:
            took = sorted(self._took)
        usual = took[int(QUANTILE * len(took))] if len(took) >= ENOUGH else remaining
        return min(usual, remaining / 2)
