"""Keeps one server alive for exactly as long as the process that started it lives.

Run as a script of its own, with nothing but the standard library::

    python guard.py SIGNAL PROGRAM [ARGUMENT ...]

Its standard input is a pipe that the starter holds open. When the pipe closes, however the starter died, or when
SIGTERM comes, the server gets SIGNAL and the guard waits for its end. A server that dies by itself is started
again. Descriptors that the starter lets pass (its lock) pass on to the server.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

STARTS = 5
"""How often in a row a server may fail before the guard gives up."""
SETTLED_S = 10.0
"""A server that lived this long did not fail to start."""
PAUSE_S = 0.2
NOT_PERMITTED = 77
"""What launch.py exits with where another try is of no use."""
STOP_S = 20.0
"""How long a server may take to stop before it is killed."""


def main(stop: signal.Signals, command: list[str]) -> int:
    wake = wake_on_signals()
    failures = 0
    while failures < STARTS:
        started = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False) as server:  # noqa: S603
            if told_to_stop(server, wake):
                return ended(server, stop)
        if server.returncode == NOT_PERMITTED:
            break
        failures = 1 if time.monotonic() - started > SETTLED_S else failures + 1
        time.sleep(PAUSE_S)
    return 1


def wake_on_signals() -> int:
    """A descriptor that becomes readable when SIGCHLD or SIGTERM arrives."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return reader


def told_to_stop(server: subprocess.Popen[bytes], wake: int) -> bool:
    """Wait until we are told to stop (true) or the server ended by itself (false)."""
    while server.poll() is None:
        readable, _, _ = select.select([0, wake], [], [])
        if 0 in readable and not os.read(0, 1):
            return True
        if wake in readable and signal.SIGTERM in os.read(wake, 64):
            return True
    return False


def ended(server: subprocess.Popen[bytes], stop: signal.Signals) -> int:
    server.send_signal(stop)
    try:
        return abs(server.wait(STOP_S))
    except subprocess.TimeoutExpired:
        server.kill()
        return abs(server.wait())


if __name__ == "__main__":
    sys.exit(main(signal.Signals[sys.argv[1]], sys.argv[2:]))
