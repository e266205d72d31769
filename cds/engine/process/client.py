"""Asking the engine process: from any thread, over connections that are kept."""

from __future__ import annotations

import pickle
import time
from contextlib import suppress
from multiprocessing.connection import Client, Connection
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

from cds.deadline import Deadline
from cds.engine.process.messages import Call, Reply
from cds.errors import Away, ModelError

AGAIN_S = 0.02
AWAY_S = 10.0
"""So long an engine that is not there is waited for, where the deadline is later: it may be starting anew."""


class EngineProcess:
    """The engine that listens at ``path``, where it runs the models that ``greeting`` names."""

    def __init__(self, path: Path, greeting: object) -> None:
        self._path = path
        self._greeting = greeting
        self._idle: LifoQueue[Connection[Any, Any]] = LifoQueue()

    def __call__(self, operation: str, deadline: Deadline, *arguments: Any) -> Any:
        """What the engine's ``operation`` returns or raises; begun in time, it is waited for.

        Raises :class:`~cds.errors.Busy` where it is not begun by ``deadline``, :class:`Away` where the engine is
        not there by then, and :class:`ModelError` where it runs other models than we were started with.
        """
        call, packed = Call(operation, deadline.at), pickle.dumps(arguments, pickle.HIGHEST_PROTOCOL)
        until = min(deadline.at, time.monotonic() + AWAY_S)
        while True:
            try:
                return self._asked(call, packed).opened()
            except (EOFError, OSError):
                self._drop_idle()
                # What is computed changes nothing, so asking twice does no harm.
                if time.monotonic() + AGAIN_S > until:
                    raise Away("the engine that runs the models is not there") from None
                time.sleep(AGAIN_S)

    def ready(self) -> bool:
        """Whether it is there, with our models."""
        try:
            self._opened().close()
        except (EOFError, OSError, ModelError):
            return False
        return True

    def _asked(self, call: Call, packed: bytes) -> Reply:
        connection = self._connection()
        try:
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

    def _connection(self) -> Connection[Any, Any]:
        try:
            return self._idle.get_nowait()
        except Empty:
            return self._opened()

    def _opened(self) -> Connection[Any, Any]:
        connection: Connection[Any, Any] = Client(str(self._path), "AF_UNIX")
        connection.send("caller")
        if connection.recv() != self._greeting:
            connection.close()
            raise ModelError("the engine runs other models than the service was started with; restart both")
        return connection
