"""Who an embedded server runs as: ourselves, or an unprivileged account where we are root."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path
from typing import Self

# capabilities(7)
DAC_OVERRIDE = 1
DAC_READ_SEARCH = 2
SETPCAP = 8

LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Account:
    """The account of a server; ``None`` for ours."""

    user: tuple[int, int] | None
    """User and group id."""
    capability: int | None = None
    """What lets the account pass directories closed to it; ``None`` where all are open."""

    @classmethod
    def for_server(cls, data: Path, *needs: Path) -> Self:
        """Ourselves; for root the owner of ``data``, at first ``nobody``, with a way to it and to all it needs.

        Raises :class:`PermissionError` where root may not pass on the right to enter.
        """
        if os.geteuid() != 0:
            return cls(None)
        nobody = pwd.getpwnam("nobody")
        user = (nobody.pw_uid, nobody.pw_gid)
        if data.exists() and data.stat().st_uid != 0:
            user = (data.stat().st_uid, data.stat().st_gid)
        closed = next((path for path in (data, *needs) if not _open_to_all(path)), None)
        if closed is None:
            return cls(user)
        capability = _held_capability()
        if capability is None:
            raise PermissionError(
                EACCES, "an unprivileged account cannot enter the directories that lead to", closed
            )
        return cls(user, capability)

    def give(self, path: Path) -> None:
        """Make the account the owner of ``path``."""
        if self.user is not None:
            os.lchown(path, *self.user)

    def owns(self, path: Path) -> bool:
        return path.stat().st_uid == (os.geteuid() if self.user is None else self.user[0])

    def command(self, *program: str | Path, with_parent: str | None = None) -> list[str]:
        """The command line that runs ``program`` as this account; it gets a signal when its parent dies."""
        launch = [sys.executable, "-I", "-S", str(LAUNCH)]
        if self.user:
            launch += ["--user", "{}:{}".format(*self.user)]
        if self.capability is not None:
            launch += ["--capability", str(self.capability)]
        if with_parent:
            launch += ["--with-parent", with_parent]
        return [*launch, *map(str, program)]


def _open_to_all(path: Path) -> bool:
    """Whether any account may pass through the directories that lead to ``path``."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents if parent.exists())


def _held_capability() -> int | None:
    """The lesser of the two capabilities that do, if we hold it and may pass it on (``CapEff`` in proc(5)).

    The root of a container often holds only the greater.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    held = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    if not held & 1 << SETPCAP:
        return None
    return next((c for c in (DAC_READ_SEARCH, DAC_OVERRIDE) if held & 1 << c), None)
