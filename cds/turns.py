"""A few at a time where many come at once, as far as nobody waits long for it.

Threads that compute take the interpreter from each other at every step; one after another each is done sooner.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """``at_once`` go ahead; who has waited for ``patience_s`` goes ahead too, for somebody may be held up."""

    def __init__(self, at_once: int, patience_s: float) -> None:
        self._free = threading.BoundedSemaphore(at_once)
        self._patience_s = patience_s

    @contextmanager
    def one(self) -> Iterator[None]:
        in_turn = self._free.acquire(timeout=self._patience_s)
        try:
            yield
        finally:
            if in_turn:
                self._free.release()
