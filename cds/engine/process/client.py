"""Asking the engine process: from any thread, over connections that are kept."""

from __future__ import annotations

import math
import os
import pickle
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

from cds.deadline import Deadline
from cds.engine.process.messages import Call, Reply
from cds.errors import Away, Busy, ModelError

AGAIN_S = 0.02
HOLDS, MOST_HOLD_S = 0.2, 0.1
"""For a fifth of the time that a refused call had left, and no longer than that, the engine's refusal is taken at
its word: to ask again takes both sides' time, which is short then. What waits there takes nearly half of that time
(:data:`cds.engine.queue.SLOWER`), so nobody is idle meanwhile."""
ALIKE = 0.5, 1.1
"""So many times as much time left: it holds for calls that have about as much as the refused one had."""
BACK_S = 0.02
"""An answer takes some time to come back, more where all are at work."""
AWAY_S = 10.0
"""So long an engine that is not there is waited for, where the deadline is later: it may be starting anew."""
GREETED_S = 5.0
"""An engine that can answer says within this which models it runs, however busy its machine is."""
HANGS_S = 20.0
"""Longer than any one computation takes: an engine that has not answered so long after the deadline never will."""
YEAR_S = 365 * 86400.0
"""Whoever may take as long as it takes waits so long: the kernel knows no endless time, only a very long one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """That an operation, asked for ``at`` with ``left_s`` until its deadline, could not be done by then."""

    at: float
    left_s: float

    def holds_for(self, deadline: Deadline) -> bool:
        """Whether it was a moment ago, and this call has about as much time left.

        A call that has much less comes before what waits, and one that has more can wait for it.
        """
        least, most = ALIKE
        lately = time.monotonic() - self.at < min(HOLDS * self.left_s, MOST_HOLD_S)
        return lately and least * self.left_s < deadline.remaining < most * self.left_s


class EngineProcess:
    """The engine that listens at ``path``, where it runs the models that ``greeting`` names.

    It hangs, and is left, where it says nothing for ``hangs_s`` after a deadline.
    """

    def __init__(self, path: Path, greeting: object, hangs_s: float = HANGS_S) -> None:
        self._path = path
        self._greeting = greeting
        self._hangs_s = hangs_s
        self._idle: LifoQueue[Connection[Any, Any]] = LifoQueue()
        self._refused: dict[str, Refusal] = {}

    def __call__(self, operation: str, deadline: Deadline, *arguments: Any) -> Any:
        """What the engine's ``operation`` returns or raises; begun in time, it is waited for.

        Raises :class:`~cds.errors.Busy` where it is not begun by ``deadline``, :class:`Away` where the engine is
        not there by then or hangs, and :class:`ModelError` where it runs other models than we were started with.
        """
        refused = self._refused.get(operation)
        if deadline.passed or (refused and refused.holds_for(deadline)):
            raise Busy("there is more to do than can be done in time")
        left_s = deadline.remaining
        try:
            return self._answer(operation, deadline, arguments)
        except Busy:
            self._refused[operation] = Refusal(time.monotonic(), left_s)
            raise

    def _answer(self, operation: str, deadline: Deadline, arguments: tuple[Any, ...]) -> Any:
        call = Call(operation, deadline.at - BACK_S)
        packed = pickle.dumps(arguments, pickle.HIGHEST_PROTOCOL)
        until = math.inf
        while True:
            try:
                return self._asked(call, packed, deadline).opened()
            except (EOFError, OSError):
                self._drop_idle()
                until = min(until, deadline.at, time.monotonic() + AWAY_S)
                # What is computed changes nothing, so asking twice does no harm.
                if time.monotonic() + AGAIN_S > until:
                    raise Away("the engine that runs the models is not there") from None
                time.sleep(AGAIN_S)

    def ready(self) -> bool:
        """Whether it is there, with our models."""
        try:
            self._opened(GREETED_S).close()
        except (EOFError, OSError, ModelError):
            return False
        return True

    def _asked(self, call: Call, packed: bytes, deadline: Deadline) -> Reply:
        connection = self._connection(deadline)
        try:
            _wait_at_most(deadline.remaining + self._hangs_s, connection)
            connection.send(call)
            connection.send_bytes(packed)
            reply: Reply = pickle.loads(connection.recv_bytes())  # noqa: S301 (from ourselves)
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)
        return reply

    def _drop_idle(self) -> None:
        """Where one connection broke, the others did too."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def _connection(self, deadline: Deadline) -> Connection[Any, Any]:
        try:
            return self._idle.get_nowait()
        except Empty:
            return self._opened(deadline.remaining)

    def _opened(self, within_s: float) -> Connection[Any, Any]:
        connection = _connected(self._path, within_s)
        try:
            connection.send("caller")
            if connection.recv() != self._greeting:
                raise ModelError("the engine runs other models than the service was started with; restart both")
        except BaseException:
            connection.close()
            raise
        return connection


def _connected(path: Path, within_s: float) -> Connection[Any, Any]:
    """An engine that hangs lets nobody in once its backlog is full: that too must have an end."""
    with socket.socket(socket.AF_UNIX) as ours:
        _wait_at_most(within_s, ours)
        ours.connect(str(path))
        return Connection(ours.detach())


def _wait_at_most(seconds: float, connection: Connection[Any, Any] | socket.socket) -> None:
    """Connecting, reading and writing fail with :class:`OSError` after that; else nothing would where it hangs."""
    fraction, whole = math.modf(min(max(seconds, 0.001), YEAR_S))
    timeval = struct.pack("@ll", int(whole), int(fraction * 1e6))
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
