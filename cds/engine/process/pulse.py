"""Signs of life of a process, for the one that forked it: a count in memory that both share."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

BEAT_S = 0.5
STANDSTILL_S = 2.0
"""Who has not looked for longer was kept from it, as by a machine that stood still, and so was the other."""


class Pulse:
    """What is stopped, keeps the interpreter to itself or does not get on has none."""

    def __init__(self) -> None:
        self._count = memoryview(mmap.mmap(-1, 8)).cast("Q")

    def beat_while(self, well: Callable[[], bool]) -> None:
        """For ever, by a thread of the process itself, but for the times when it is not ``well``."""
        while True:
            self._count[0] += well()
            time.sleep(BEAT_S)

    def stop(self) -> None:
        """Whoever beats next is another process, which has not begun to."""
        self._count[0] = 0

    @property
    def count(self) -> int:
        """Rises twice a second; 0 before the first beat."""
        return self._count[0]


class Watch:
    """For how long a pulse has not been felt, by whoever looks again and again."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._felt = pulse.count
        self._looked = time.monotonic()
        self._silent_s = 0.0

    def silent_s(self) -> float:
        """Seconds, as of now; none before the first beat: what loads takes as long as it takes."""
        now, count = time.monotonic(), self._pulse.count
        self._silent_s += min(now - self._looked, STANDSTILL_S)
        if count != self._felt or not count:
            self._silent_s = 0.0
        self._looked, self._felt = now, count
        return self._silent_s
