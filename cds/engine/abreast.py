"""Calls beside each other, each on a core of its own; one that comes alone has them all."""

from __future__ import annotations

import threading

from cds.deadline import NEVER, Deadline
from cds.engine.network import Inputs, Logits, Network


class Abreast:
    """A network in two forms that give the same: of many threads, and of one.

    Threads that wait for each other stand still whenever one of their cores does something else, so in company two
    calls of one thread each take a quarter less of a core than two of two (docs/evaluation.md).
    """

    def __init__(self, alone: Network, in_company: Network) -> None:
        self._alone = alone
        self._in_company = in_company
        self._counting = threading.Lock()
        self._under_way = 0

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """Raise what the network raises."""
        with self._counting:
            network = self._in_company if self._under_way else self._alone
            self._under_way += 1
        try:
            return network(inputs, deadline)
        finally:
            with self._counting:
                self._under_way -= 1
