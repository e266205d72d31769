"""Where the engine process of a machine listens."""

from __future__ import annotations

from pathlib import Path

from cds.settings import Settings


def socket_of(settings: Settings) -> Path:
    """In a directory that is its user's alone."""
    return (settings.data_dir / "engine" / "engine.sock").resolve()
