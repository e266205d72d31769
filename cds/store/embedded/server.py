"""Starts one server under its guard, waits until it answers, and stops it without leaving anything behind."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from cds.errors import ConfigurationError
from cds.store.embedded.account import Account
from cds.store.embedded.home import Home

GUARD = Path(__file__).with_name("guard.py")
READY_S = 60.0
STOP_S = 30.0


class EmbeddedServer(ABC):
    """One server in its :class:`Home`; a context manager that starts and stops it.

    It lives as long as the process that started it, whatever ends that process.
    """

    def __init__(self, home: Home, pid_file: Path, stop: signal.Signals) -> None:
        self._home = home
        self._pid_file = pid_file
        self._stop_signal = stop
        self._lock: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._owner = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client connects to. Raises :class:`ConfigurationError` before the first start of all."""

    @abstractmethod
    def _start(self) -> None:
        """Make what is missing, then :meth:`_serve`."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server is ready."""

    def start(self) -> str:
        """Start the server, on its first start make its data, and return :attr:`url`.

        Raises :class:`ConfigurationError` naming ``CDS_DATA_DIR`` where the directory is in use, or of no use.
        """
        with self._home.trouble_named():
            self._lock = self._home.claim(self._pid_file, self._stop_signal)
            self._owner = os.getpid()
            atexit.register(self.stop)
            try:
                self._start()
            except BaseException:
                self.stop()
                raise
        return self.url

    def running(self) -> bool:
        """Whether it answers now, whichever process started it."""
        try:
            return self._answers()
        except ConfigurationError:
            return False

    def stop(self) -> None:
        """Stop the server, wait for its end, and free its home. In a forked child: nothing."""
        if self._owner != os.getpid():
            return
        atexit.unregister(self.stop)
        if self._guard is not None:
            _end(self._guard)
            self._guard = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, account: Account, *program: str | Path) -> None:
        """Run a program to its end as the account; raise :class:`ConfigurationError` with what it complains of."""
        done = subprocess.run(  # noqa: S603 - our own binaries, no shell
            account.command(*program),
            env=_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            complaint = done.stderr.decode(errors="replace").strip()
            raise self._home.unusable(complaint.partition("\n")[0])

    def _serve(self, account: Account, *server: str | Path) -> None:
        """Run the server under its guard and wait until it answers."""
        command = account.command(*server, with_parent=self._stop_signal.name)
        log = self._home.open_log()
        self._guard = subprocess.Popen(  # noqa: S603 - our own binaries, no shell
            [sys.executable, "-I", "-S", str(GUARD), self._stop_signal.name, *command],
            env=_environment(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=() if self._lock is None else (self._lock,),
            start_new_session=True,  # Ctrl-C is for us: the server stops after those who use it
        )
        os.close(log)
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if self._guard.poll() is not None or time.monotonic() > deadline:
                raise self._home.unusable(f"it did not start, see {self._home.log}")
            time.sleep(0.02)


def _end(guard: subprocess.Popen[bytes]) -> None:
    if guard.stdin:
        guard.stdin.close()
    guard.terminate()  # the pipe may be open in a process that was forked from us
    try:
        guard.wait(STOP_S)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def _environment() -> dict[str, str]:
    """Of our environment what a program needs to run, none of our secrets, no PG* that would steer it."""
    passed = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    return {"LC_ALL": "C", "TZ": "UTC"} | {name: os.environ[name] for name in passed if name in os.environ}
