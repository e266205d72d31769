"""Where the engine process of a machine listens."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cds.errors import ConfigurationError
from cds.settings import Settings
from cds.sockets import is_ours_alone, socket_directory

FILE = "engine.sock"

log = logging.getLogger(__name__)


def socket_of(settings: Settings) -> Path:
    """In a directory that is its user's alone."""
    return socket_directory(settings.data_dir.absolute(), "engine", FILE) / FILE


def made(socket: Path) -> None:
    """Make the directory of ``socket``; raise :class:`ConfigurationError` where others may write there."""
    outer = socket.parent.parent
    outer.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not is_ours_alone(outer):
        raise ConfigurationError(f"the engine's socket cannot be kept safe: {outer} is not ours alone")
    socket.parent.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def its_turn(socket: Path) -> Iterator[None]:
    """Wait until no other engine listens at ``socket``: of two for one data directory, one stands by."""
    with (socket.parent / "engine.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another engine runs for this data directory; this one stands by")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
