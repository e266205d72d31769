"""Where the engine process of a machine listens."""

from __future__ import annotations

from pathlib import Path

from cds.errors import ConfigurationError
from cds.settings import Settings
from cds.sockets import is_ours_alone, socket_directory

FILE = "engine.sock"


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
