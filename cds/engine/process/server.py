"""The process that holds the models: callers' connections on one side, the cores' on the other."""

from __future__ import annotations

import logging
import os
import pickle
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from cds.deadline import Deadline
from cds.engine.process.messages import Call, Core, Reply, answered
from cds.engine.queue import DeadlineQueue, Job
from cds.errors import Away, EngineError

BACKLOG = 512
STUCK_S = 120.0
"""Several times as long as the longest work takes: a core that has not done by then never will."""
Operation = Callable[..., Any]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """What a core is to do."""

    call: Call
    arguments: bytes
    """Pickled, and unread here."""
    again: bool = False
    """Whether a core broke down at it before."""


@dataclass(eq=False)
class CallersDeadline(Deadline):
    """Of a caller that may go: then no time is left, and what is not begun for it by then never is."""

    caller: Connection[Any, Any]

    @property
    def remaining(self) -> float:
        return 0.0 if _gone(self.caller) else super().remaining


class Server:
    """``here``: what the models do, each called with its arguments and a deadline; ``on_cores``: what cores do.

    ``greeting`` is what every caller is told first: which models these are. A core that takes longer than
    ``stuck_s`` is killed: whoever supervises it starts it anew.
    """

    def __init__(
        self,
        here: Mapping[str, Operation],
        on_cores: frozenset[str],
        cores: int,
        greeting: object,
        stuck_s: float = STUCK_S,
    ) -> None:
        self._here = here
        self._on_cores = on_cores
        self._cores = DeadlineQueue[Work, bytes](cores)
        self._greeting = greeting
        self._stuck_s = stuck_s
        self._under_way: set[Deadline] = set()

    def serve(self, path: Path) -> None:
        """For ever."""
        path.unlink(missing_ok=True)
        with Listener(str(path), "AF_UNIX", backlog=BACKLOG) as listener:
            path.chmod(0o600)
            while True:
                with suppress(OSError):
                    connection = listener.accept()
                    threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def gets_on(self) -> bool:
        """Whether no model has been at something for ``stuck_s`` after its deadline: what waits does not."""
        return all(deadline.at + self._stuck_s > time.monotonic() for deadline in tuple(self._under_way))

    def _attend(self, connection: Any) -> None:
        with connection, suppress(EOFError, OSError):
            who = connection.recv()
            if isinstance(who, Core):
                self._lead(connection, who)
            else:
                self._listen(connection)

    def _listen(self, connection: Connection[Any, Any]) -> None:
        """To one caller, until it goes."""
        connection.send(self._greeting)
        while True:
            call: Call = connection.recv()
            arguments = connection.recv_bytes()
            connection.send_bytes(self._answer(call, arguments, CallersDeadline(call.deadline_at, connection)))

    def _answer(self, call: Call, arguments: bytes, deadline: Deadline) -> bytes:
        if call.operation in self._on_cores:
            try:
                return self._cores.done(Work(call, arguments), deadline)
            except EngineError as refused:
                return pickle.dumps(Reply(error=refused))
        self._under_way.add(deadline)
        try:
            return answered(partial(self._here[call.operation], deadline=deadline), arguments)
        finally:
            self._under_way.remove(deadline)

    def _lead(self, connection: Connection[Any, Any], core: Core) -> None:
        """One core, until it breaks down."""
        while True:
            with self._cores.taken() as [job]:
                try:
                    job.result.set_result(self._computed(connection, core, job.task))
                except (EOFError, OSError):
                    self._broken(job)
                    return

    def _computed(self, connection: Connection[Any, Any], core: Core, work: Work) -> bytes:
        connection.send(work.call)
        connection.send_bytes(work.arguments)
        if not connection.poll(self._stuck_s):
            log.error("a core is stuck at %s", work.call.operation)
            os.kill(core.pid, signal.SIGKILL)
        return connection.recv_bytes()

    def _broken(self, job: Job[Work, bytes]) -> None:
        """Another core may try once; what breaks two may break them all."""
        log.error("a core broke down at %s", job.task.call.operation)
        if job.task.again:
            job.fail(Away("what it takes breaks the process that computes it"))
        else:
            job.task.again = True
            self._cores.put_back(job)


def _gone(caller: Connection[Any, Any]) -> bool:
    """Who waits for an answer sends nothing: there is something to read only where the connection has ended."""
    asked = select.poll()
    try:
        asked.register(caller.fileno(), select.POLLIN)
    except OSError:
        return True
    return bool(asked.poll(0))
