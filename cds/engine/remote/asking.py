"""One call of a remote network: who is asked, and whom else, until somebody answers."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from cds.deadline import NEVER, Deadline
from cds.engine.network import Inputs, Logits
from cds.engine.remote.pace import Pace
from cds.errors import Away, EngineError, ModelError

if TYPE_CHECKING:
    from cds.engine.remote.server import Server

TRIES = 3
"""How often one server is asked, where it breaks off: another replica behind it may answer."""

_log = logging.getLogger(__name__)


class Asking:
    """Used once, by one thread."""

    def __init__(self, threads: ThreadPoolExecutor, pace: Pace, inputs: Inputs, ends: Deadline) -> None:
        self._threads = threads
        self._pace = pace
        self._inputs = inputs
        self._ends = ends
        self._to_ask: deque[Server] = deque()
        self._asked: dict[Future[Logits], Server] = {}
        self._failure: EngineError | ModelError = Away("no server of the models is there")

    def first_answer(self, servers: Sequence[Server]) -> Logits:
        """Ask the first; the next when one fails, and also when one takes longer than is usual (a hedge)."""
        self._pace.called()
        self._to_ask.extend([*servers] * TRIES)
        self._ask()
        hedge = Deadline.after(1000 * self._pace.patience(self._ends.remaining))
        try:
            while self._asked:
                if (answer := self._answered(by=min(hedge.at, self._ends.at))) is not None:
                    return answer
                if self._ends.passed:
                    raise Away("no server of the models answered in time")
                if hedge.passed:
                    hedge = NEVER
                    self._hedge()
        finally:
            for future in self._asked:
                future.cancel()
        raise self._failure

    def _hedge(self) -> None:
        if any(server not in self._asked.values() for server in self._to_ask) and self._pace.allows_a_hedge():
            self._ask()

    def _ask(self) -> None:
        """The next that is not being asked already and is worth asking; nobody, where there is none."""
        for _ in range(len(self._to_ask)):
            server = self._to_ask.popleft()
            if server in self._asked.values():
                self._to_ask.append(server)
            elif server.admits():
                self._asked[self._threads.submit(self._timed, server)] = server
                return

    def _timed(self, server: Server) -> Logits:
        begun = time.monotonic()
        answer = server.infer(self._inputs, self._ends)
        self._pace.took(time.monotonic() - begun)
        return answer

    def _answered(self, by: float) -> Logits | None:
        """The first answer that comes ``by`` then; for each that fails another is asked."""
        done, _ = wait(self._asked, max(0.0, by - time.monotonic()), FIRST_COMPLETED)
        for future in done:
            server = self._asked.pop(future)
            try:
                return future.result()
            except (EngineError, ModelError) as failure:
                self._failed(server, failure)
        return None

    def _failed(self, server: Server, failure: EngineError | ModelError) -> None:
        _log.warning("a remote model gave no answer: %s", failure)
        self._failure = failure
        if not isinstance(failure, Away):
            # It is there, and would say the same again.
            self._to_ask = deque(other for other in self._to_ask if other is not server)
        self._ask()
