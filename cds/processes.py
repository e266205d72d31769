"""The processes that one command runs side by side: started in order, watched, stopped together.

None outlives the command, not even when it is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cds.errors import ConfigurationError, SightlineError

_PR_SET_PDEATHSIG = 1
_GRACE_S = 10.0
_AGAIN_S = 1.0
_REFUSED, _REFUSED_AGAIN_S = 2, 30.0
"""What ends with this code said what an operator must change first: to begin anew each second would eat a core."""
_LETTING_GO_S = 5.0
"""So long what was killed a moment ago may need to let go of its port."""


class ProcessFailed(SightlineError):
    """A process ended by itself, or did not become ready; the message names its log."""


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    popen: subprocess.Popen[bytes]
    log: Path


class Processes:
    """A context in which processes run; leaving it stops them all."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._running: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # All are told first, so that the slowest alone decides how long it takes.
        for process in reversed(self._running):
            with suppress(ProcessLookupError):
                process.popen.terminate()
        while self._running:
            _wait_for_end(self._running.pop().popen)

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str]) -> Process:
        """Start ``argv``; its output goes to ``{name}.log``."""
        process = self._spawn(name, argv, environ)
        self._running.append(process)
        return process

    def kill(self, name: str) -> None:
        """End the processes of that name at once, as a crash does; they are not watched any more."""
        for process in [running for running in self._running if running.name == name]:
            process.popen.kill()
            process.popen.wait()
            self._running.remove(process)

    def wait(self, process: Process, ready: Callable[[], bool], within_s: float) -> None:
        """Return as soon as ``ready()``; raise :class:`ProcessFailed` where it ends or takes longer."""
        due = time.monotonic() + within_s
        while not ready():
            self._check(process)
            if time.monotonic() > due:
                raise ProcessFailed(f"{process.name} was not ready within {within_s:.0f} s; see {process.log}")
            time.sleep(0.05)

    def watch(self) -> None:
        """Return only by an exception: :class:`ProcessFailed` when one of them ends."""
        while True:
            for process in self._running:
                self._check(process)
            time.sleep(0.5)

    def _spawn(self, name: str, argv: Sequence[str], environ: Mapping[str, str]) -> Process:
        log = self._logs / f"{name}.log"
        with log.open("ab") as file:
            popen = _started(argv, environ, file)
        return Process(name, popen, log)

    def _check(self, process: Process) -> None:
        status = process.popen.poll()
        if status is not None:
            raise ProcessFailed(f"{process.name} ended with status {status}; {_last_line(process.log)}")


class KeptAlive:
    """One process beside ours, on our own output, started again whenever it ends, until we stop it or end."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self._argv = argv
        self._environ = environ
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._keep, name="kept alive", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._running:
            self._running.terminate()
            _wait_for_end(self._running)

    def _keep(self) -> None:
        while not self._stopped.is_set():
            # It dies with this thread, which ends with us.
            self._running = _started(self._argv, self._environ, None)
            refused = self._running.wait() == _REFUSED
            self._stopped.wait(_REFUSED_AGAIN_S if refused else _AGAIN_S)


def free_port(host: str, port: int, setting: str) -> None:
    """Raise :class:`ConfigurationError` naming ``setting`` where something listens there already."""
    due = time.monotonic() + _LETTING_GO_S
    while not _is_free(host, port):
        if time.monotonic() > due:
            raise ConfigurationError(
                f"port {port} on {host} is taken; choose another with {setting}, such as {setting}={port + 100}"
            )
        time.sleep(0.1)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _started(argv: Sequence[str], environ: Mapping[str, str], output: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """Its output goes to ``output``, or where ours goes."""
    return subprocess.Popen(  # noqa: S603 (our own commands only)
        argv,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        # A session of its own: the terminal's Ctrl-C reaches us alone, and we stop the others in order.
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 (it calls the kernel and nothing else)
    )


def die_with_parent() -> None:
    """Have the kernel end this process, where it is Linux, when the thread that started it ends.

    By SIGKILL: the databases die with the parent too, and whatever is still to be done is in the outbox.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_end(popen: subprocess.Popen[bytes]) -> None:
    try:
        popen.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return f"{lines[-1][:300]} (all of it: {log})"
