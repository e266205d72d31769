"""One SQLite file that many threads read and write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Database:
    """Each thread has its own connection. Write-ahead logging: what was committed is there after a kill -9."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        self._writing = threading.Lock()
        self.connection.executescript(f"BEGIN; {schema} COMMIT;")

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode."""
        held: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if held is None:
            held = sqlite3.connect(self._path, isolation_level=None, timeout=30, check_same_thread=False)
            # A process that dies loses nothing; a machine that does may lose its sandbox.
            held.execute("PRAGMA synchronous = OFF")
            held.execute("PRAGMA journal_mode = WAL")
            self._local.connection = held
        return held

    @contextmanager
    def atomically(self) -> Iterator[sqlite3.Connection]:
        """All writes inside are kept together, or none if an exception leaves the block. Blocks nest."""
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        with self._writing:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close this thread's connection."""
        self.connection.close()
        del self._local.connection
