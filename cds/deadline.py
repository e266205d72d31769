"""The moment by which an answer is due."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Self

LOOK_S = 0.03
"""How often who waits looks whether the deadline has come nearer."""


@dataclass(slots=True, eq=False)
class Deadline:
    """A point on the monotonic clock, in seconds. It may come nearer."""

    at: float

    @classmethod
    def after(cls, milliseconds: float, since: float | None = None) -> Self:
        """``since`` is on the monotonic clock; now, where it is not given."""
        return cls((time.monotonic() if since is None else since) + milliseconds / 1000)

    def hasten(self, at: float) -> None:
        """Let it be no later than ``at``."""
        self.at = min(self.at, at)

    def wait_for(self, due: Future[Any]) -> bool:
        """Wait for ``due`` as long as there is time; whether it is done."""
        while not due.done() and not self.passed:
            wait([due], min(self.remaining, LOOK_S))
        return due.done()

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.remaining == 0.0


NEVER = Deadline(float("inf"))
"""Of work that may take as long as it takes."""
