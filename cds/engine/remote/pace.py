"""How long answers take of late, and so after how long it is worth asking somebody else too, and how often."""

from __future__ import annotations

import threading
from collections import deque

KEPT = 128
ENOUGH = 16
QUANTILE = 0.95
"""One call in twenty is asked twice (Dean & Barroso, The Tail at Scale, CACM 2013)."""
HEDGES_PER_CALL, MOST_HEDGES = 0.1, 32
"""What a call adds to the hedges that may be made, and how many are saved up at most. Where all servers are slow,
to ask twice would make them slower; where one hangs, these last until the breaker knows."""


class Pace:
    """From any thread; in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._took: deque[float] = deque(maxlen=KEPT)
        self._hedges = float(MOST_HEDGES)

    def took(self, seconds: float) -> None:
        with self._lock:
            self._took.append(seconds)

    def patience(self, remaining: float) -> float:
        """The quantile of what is known, and never more than half of what remains."""
        with self._lock:
            took = sorted(self._took)
        usual = took[int(QUANTILE * len(took))] if len(took) >= ENOUGH else remaining
        return min(usual, remaining / 2)

    def called(self) -> None:
        """One more call, hedged or not."""
        with self._lock:
            self._hedges = min(self._hedges + HEDGES_PER_CALL, MOST_HEDGES)

    def allows_a_hedge(self) -> bool:
        """Whether somebody else may be asked too; who is told so, asks."""
        with self._lock:
            allowed = self._hedges >= 1
            self._hedges -= allowed
        return allowed
