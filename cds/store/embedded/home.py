"""The part of the data directory that one embedded server lives in: its lock, secrets, sockets and log."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cds.errors import ConfigurationError
from cds.sockets import socket_directory
from cds.store.embedded.account import Account

LONGEST_FILE = ".s.PGSQL.5432.lock"
LOG_BYTES = 10 * 1024 * 1024
ORPHAN_S = 30.0
"""How long a server whose starter was killed may take to stop."""
IN_USE_S = 1.0
"""How long a starter that was killed may still be listed as a process."""


class Home:
    """What belongs to the server ``name`` in ``data_dir``.

    The lock is held by the process that started the server and by the server itself, which inherits the
    descriptor: it is free exactly when neither is running.
    """

    def __init__(self, data_dir: Path, name: str) -> None:
        self.root = data_dir.absolute()
        self.name = name
        self.data = self.root / name
        self.log = self.root / f"{name}.log"
        self._secrets = self.root / f"{name}-secrets.json"
        self._lock = self.root / f"{name}.lock"

    @contextmanager
    def trouble_named(self) -> Iterator[None]:
        """Turn what the file system refuses into a :class:`ConfigurationError`."""
        try:
            yield
        except OSError as error:
            raise self.unusable(f"{error.strerror or error}: {error.filename or self.root}") from None

    def unusable(self, reason: str) -> ConfigurationError:
        return ConfigurationError(f"CDS_DATA_DIR {self.root} cannot hold the embedded {self.name}: {reason}")

    def claim(self, pid_file: Path, stop: signal.Signals) -> int:
        """Lock this home and return the lock's descriptor; a server left behind is stopped first.

        Raises :class:`ConfigurationError` where another process has its server here.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._wait_for_lock(descriptor, pid_file, stop)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        pid_file.unlink(missing_ok=True)  # nobody holds the lock, so whatever pid it names is not our server
        return descriptor

    def _wait_for_lock(self, descriptor: int, pid_file: Path, stop: signal.Signals) -> None:
        started = time.monotonic()
        while not _locked(descriptor):
            starter = int(os.pread(descriptor, 20, 0) or 0)
            waited = time.monotonic() - started
            if waited > (IN_USE_S if _alive(starter) else ORPHAN_S):
                raise self.unusable(f"it is in use by process {starter}")
            if not _alive(starter):
                _stop_orphan(pid_file, stop)
            time.sleep(0.05)

    def make_secrets(self, *names: str) -> None:
        """Random passwords by name, made once and readable by us alone."""
        if not self._secrets.exists():
            draft = self._secrets.with_suffix(".new")
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({name: secrets.token_urlsafe(32) for name in names}, file)
                file.flush()
                os.fsync(descriptor)
            draft.rename(self._secrets)

    def secret(self, name: str) -> str:
        """Raises :class:`ConfigurationError` where the server was never started."""
        with self.trouble_named():
            held: dict[str, str] = json.loads(self._secrets.read_text())
        return held[name]

    def folder(self, path: Path, account: Account) -> Path:
        """Make ``path``, the account's alone."""
        path.mkdir(mode=0o700, exist_ok=True)
        account.give(path)
        return path

    def sockets(self) -> Path:
        """Where the server's Unix socket lives: in the data directory, or where its path fits."""
        return socket_directory(self.root, self.name, LONGEST_FILE)

    def empty_sockets(self, account: Account) -> Path:
        """The same, made and emptied of what an earlier run left."""
        path = self.sockets()
        path.parent.mkdir(mode=0o711, exist_ok=True)
        ours = path.parent.stat().st_uid == os.geteuid() or account.owns(path.parent)
        if path.parent.is_symlink() or not ours or path.parent.stat().st_mode & 0o022:
            raise self.unusable(f"{path.parent} is not ours alone")
        shutil.rmtree(path, ignore_errors=True)
        return self.folder(path, account)

    def open_log(self) -> int:
        """A descriptor that appends to the log; one grown too long starts anew."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.unlink()
        return os.open(self.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop_orphan(pid_file: Path, stop: signal.Signals) -> None:
    """Stop the server that holds the lock, in case its guard was killed as well and the kernel did not do it."""
    with suppress(OSError, ValueError, IndexError):
        pid = int(pid_file.read_text().split()[0])
        if pid > 1:
            os.kill(pid, stop)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
