"""Starts one server under its guard, waits until it answers, and stops it without leaving anything behind."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cds.store.embedded.account import Account
from cds.store.embedded.home import Home

GUARD = Path(__file__).with_name("guard.py")
READY_S = 60.0
STOP_S = 30.0


class Supervisor:
    """Holds the lock of a home and the guard of its server."""

    def __init__(self, home: Home, pid_file: Path, stop: signal.Signals) -> None:
        self._home = home
        self._pid_file = pid_file
        self._stop = stop
        self._lock: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._owner = 0

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the home ours until :meth:`stop`, or until an error."""
        self._lock = self._home.claim(self._pid_file, self._stop)
        self._owner = os.getpid()
        atexit.register(self.stop)
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def run(self, account: Account, *program: str | Path) -> None:
        """Run a program to its end as the account; raise :class:`ConfigurationError` with its last words."""
        command = account.command(*program)
        done = subprocess.run(  # noqa: S603 - our own binaries, no shell
            command, env=_environment(), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode:
            words = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines() or [
                "no reason given"
            ]
            raise self._home.unusable(words[0])

    def start(self, account: Account, *server: str | Path, ready: Callable[[], bool]) -> None:
        """Start the server and wait until it is ready; raise :class:`ConfigurationError` where it is not."""
        command = account.command(*server, with_parent=self._stop.name)
        log = self._home.open_log()
        self._guard = subprocess.Popen(  # noqa: S603 - our own binaries, no shell
            [sys.executable, "-I", "-S", str(GUARD), self._stop.name, *command],
            env=_environment(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(self._lock,) if self._lock is not None else (),
            start_new_session=True,  # Ctrl-C is for us: the server stops after those who use it
        )
        os.close(log)
        deadline = time.monotonic() + READY_S
        while not ready():
            if self._guard.poll() is not None or time.monotonic() > deadline:
                raise self._home.unusable(f"it did not start, see {self._home.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server, wait for its end, and free the home. In a forked child: nothing."""
        if self._owner != os.getpid():
            return
        atexit.unregister(self.stop)
        if self._guard is not None:
            self._end_guard(self._guard)
            self._guard = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _end_guard(self, guard: subprocess.Popen[bytes]) -> None:
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
