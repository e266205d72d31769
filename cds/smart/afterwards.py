"""What is begun with a request and nobody waits for: in threads of its own, and only so much."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor

_log = logging.getLogger(__name__)


class Afterwards:
    """Runs work in ``executor``; of more than ``limit`` at once the rest is left undone.

    What is left undone, or fails, is made when it is asked for: an overloaded service first answers.
    """

    def __init__(self, executor: Executor, limit: int) -> None:
        self._executor = executor
        self._room = threading.BoundedSemaphore(limit)

    def __call__(self, work: Callable[[], None]) -> None:
        if not self._room.acquire(blocking=False):
            _log.warning("too much is being made ahead: the rest is left until it is asked for")
            return
        self._executor.submit(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as defect:
            # Its message may quote the patient's data: the log gets its kind alone.
            _log.error("work that nobody waits for failed: %s", type(defect).__name__)
        finally:
            self._room.release()
