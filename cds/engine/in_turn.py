"""Heat maps one after another: a crowd that wants some leaves the cores to whoever wants a score."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from cds.deadline import NEVER, Deadline
from cds.engine.image import Explainer, Picture
from cds.engine.queue import DeadlineQueue

Question = tuple[NDArray[np.float32], int]


class InTurn:
    """What explains pictures behind a queue of its own, itself such a thing."""

    def __init__(self, explain: Explainer) -> None:
        self._explain = explain
        self._queue = DeadlineQueue[Question, Picture](takers=1)
        threading.Thread(target=self._run, name="heat maps", daemon=True).start()

    def __call__(self, pixel_values: NDArray[np.float32], output: int, deadline: Deadline = NEVER) -> Picture:
        """Raise :class:`~cds.errors.Busy` where it is not begun by ``deadline``, and what the other raises."""
        return self._queue.done((pixel_values, output), deadline)

    def _run(self) -> None:
        while True:
            with self._queue.taken() as [job]:
                try:
                    job.result.set_result(self._explain(*job.task, job.deadline))
                except Exception as error:
                    job.fail(error)
