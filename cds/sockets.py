"""Where a Unix socket lives: in the data directory, or where its path fits."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

PATH_BYTES = 100
"""``sun_path`` holds 108 bytes on Linux and 104 on macOS, the last one NUL."""


def socket_directory(root: Path, name: str, file: str) -> Path:
    """The directory for the socket ``file`` of what runs as ``name`` for the data directory ``root``."""
    path = root / "run" / name
    if len(os.fsencode(path / file)) <= PATH_BYTES and "," not in str(path):  # a comma separates hosts in a URL
        return path
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"sightline-{os.geteuid()}-{digest}" / name


def is_ours_alone(directory: Path) -> bool:
    """Whether nobody else may put anything into it."""
    stat = directory.stat()
    return not directory.is_symlink() and stat.st_uid == os.geteuid() and not stat.st_mode & 0o022
