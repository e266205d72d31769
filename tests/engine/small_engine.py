"""An engine of two cores that knows some small operations: ``python -m tests.engine.small_engine SOCKET``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

from cds.deadline import Deadline
from cds.engine.process.core import compute
from cds.engine.process.pulse import Pulse
from cds.engine.process.server import Server
from cds.engine.process.supervisor import supervise
from cds.errors import NoteError


def double(x: int, deadline: Deadline) -> int:
    return 2 * x


def die_here(deadline: Deadline) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang_here(deadline: Deadline) -> None:
    """As a call into a library does that never returns."""
    threading.Event().wait()


def pid_here(deadline: Deadline) -> int:
    return os.getpid()


def pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def wait_for(mark: Path) -> None:
    """Beside ``mark`` a file of its own says that it was begun."""
    mark.with_suffix(f".{os.getpid()}").touch()
    while not mark.exists():
        time.sleep(0.01)


def die_once(mark: Path) -> str:
    """As a core does that is killed from outside while it works."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop_once(mark: Path) -> str:
    """As a core does that hangs in a decoder, or is stopped."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return "done"


def refuse() -> None:
    raise NoteError("it cannot be read")


def fail(secret: str) -> None:
    raise ValueError(secret)


STUCK_S = 5.0
"""Longer than any of these takes."""
HANGS_S = 3.0
HERE = {"double": double, "die here": die_here, "hang here": hang_here, "pid here": pid_here}
ON_CORES = {
    "sleep": time.sleep,
    "wait for": wait_for,
    "touch": Path.touch,
    "die once": die_once,
    "stop once": stop_once,
    "die": die,
    "refuse": refuse,
    "fail": fail,
    "pid after": pid_after,
}


def main(socket: Path) -> None:
    def hold() -> None:
        server = Server(HERE, frozenset(ON_CORES), 2, "small", STUCK_S)
        threading.Thread(target=pulse.beat_while, args=(server.gets_on,), daemon=True).start()
        server.serve(socket)

    pulse = Pulse()
    core = partial(compute, socket, ON_CORES)
    supervise({"models": hold, "core 1": core, "core 2": core}, pulses={"models": pulse}, hangs_s=HANGS_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
