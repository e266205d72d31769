"""Micro-batches: what waits for the same network at the same moment goes through it together."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from cds.deadline import NEVER, Deadline
from cds.engine.network import MASK, Inputs, Logits, Network
from cds.engine.queue import DeadlineQueue, Job


class Batched:
    """A network behind a queue of its own, itself one: never waits for company, and takes what is there.

    ``rows``: as many go through at once, unless one call alone has more; ``abreast``: so many batches, beside each
    other.
    """

    def __init__(self, network: Network, *, rows: int, abreast: int = 1) -> None:
        self._network = network
        self._rows = rows
        self._queue = DeadlineQueue[Inputs, Logits](takers=abreast)
        for _ in range(abreast):
            threading.Thread(target=self._run, name="batches", daemon=True).start()

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """Raise :class:`~cds.errors.Busy` where it is not begun by ``deadline``, and what the network raises."""
        return self._queue.done(inputs, deadline)

    def __len__(self) -> int:
        """How many calls wait."""
        return len(self._queue)

    def _run(self) -> None:
        while True:
            with self._queue.taken(self._fits) as jobs:
                self._answer(jobs)

    def _answer(self, jobs: Sequence[Job[Inputs, Logits]]) -> None:
        try:
            logits = self._network(together([job.task for job in jobs]), jobs[0].deadline)
        except Exception as error:
            for job in jobs:
                job.fail(error)
            return
        first = 0
        for job in jobs:
            last = first + rows(job.task)
            job.result.set_result(logits[first:last])
            first = last

    def _fits(self, taken: Sequence[Inputs], inputs: Inputs) -> bool:
        alike = all(inputs[name].shape[2:] == values.shape[2:] for name, values in taken[0].items())
        return alike and sum(map(rows, taken)) + rows(inputs) <= self._rows


def rows(inputs: Inputs) -> int:
    """How many there are in the batch."""
    return len(next(iter(inputs.values())))


def together(several: Sequence[Inputs]) -> Inputs:
    """One batch of several; tokens as long as the longest, the rest masked."""
    if len(several) == 1:
        return several[0]
    if MASK not in several[0]:
        return {name: np.concatenate([one[name] for one in several]) for name in several[0]}
    longest = max(one[MASK].shape[1] for one in several)
    return {
        name: np.concatenate([np.pad(one[name], ((0, 0), (0, longest - one[name].shape[1]))) for one in several])
        for name in several[0]
    }
