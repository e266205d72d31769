"""A network that runs elsewhere, at one address or at several that are each as good as the others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cds.deadline import NEVER, Deadline
from cds.engine.network import Inputs, Logits
from cds.engine.remote.asking import Asking
from cds.engine.remote.pace import Pace

if TYPE_CHECKING:
    from cds.engine.remote.server import Server


class RemoteNetwork:
    """Asks the servers in turn. An answer depends on the request alone, so it may be asked for more than once."""

    def __init__(self, servers: Sequence[Server], threads: ThreadPoolExecutor, longest_s: float) -> None:
        """``threads`` hold the requests under way; no call takes longer than ``longest_s``."""
        self._servers = servers
        self._turns = itertools.count()
        self._threads = threads
        self._longest_s = longest_s
        self._pace = Pace()

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """The first answer that comes.

        Raises what the last server that was asked raised (:meth:`~cds.engine.remote.server.Server.infer`), and
        :class:`~cds.errors.Away` where there is none to ask, or no answer by ``deadline``.
        """
        ends = Deadline.after(1000 * min(self._longest_s, deadline.remaining))
        turn = next(self._turns) % len(self._servers)
        in_turn = [*self._servers[turn:], *self._servers[:turn]]
        return Asking(self._threads, self._pace, inputs, ends).first_answer(in_turn)
