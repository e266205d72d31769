"""The way to PostgreSQL: one pool per process, one transaction per unit of work, one tenant per transaction."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from cds.errors import DatabaseAway
from cds.store.sealing import Keyring, Sealer, tenants


class Connection(psycopg.Connection[TupleRow]):
    """A connection within a transaction of one tenant."""

    sealer: Sealer
    """The tenant's."""


SESSION = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
}


class Database:
    """The application's database. Nothing connects until the first use, so it may be made before a fork.

    ``timeout_s`` is how long a transaction waits for a connection.
    """

    def __init__(
        self, url: str, keyring: Keyring, *, min_size: int = 1, max_size: int = 16, timeout_s: float = 5.0
    ) -> None:
        self._url = url
        self._keyring = keyring
        self._min_size = min_size
        self._max_size = max_size
        self._timeout_s = timeout_s
        self._opening = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None
        self._pool_pid = 0

    @contextmanager
    def transaction(self, tenant: str) -> Iterator[Connection]:
        """A connection that sees and writes the rows of ``tenant``: commits at the end, rolls back on any error.

        Raises :class:`~cds.errors.DatabaseAway` where the database does not answer.
        """
        with _unreachable():
            connection = self._begun(tenant)
            try:
                with connection:
                    yield connection
            finally:
                self._opened().putconn(connection)

    def tenants(self) -> list[str]:
        """Every tenant that has rows."""
        with self.connection() as connection:
            return tenants(connection)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection of no tenant, for what belongs to none."""
        with _unreachable(), self._opened().connection(timeout=self._timeout_s) as connection:
            yield connection

    def ping(self) -> None:
        """Raise :class:`~cds.errors.DatabaseAway` where the database does not answer."""
        with self.connection() as connection:
            connection.execute("SELECT 1")

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        if self._pool is not None and self._pool_pid == os.getpid():
            self._pool.close()
        self._pool = None

    def _begun(self, tenant: str) -> Connection:
        """A connection with a transaction of ``tenant`` begun.

        One that died idle shows it here, where nothing is lost by taking another.
        """
        pool = self._opened()
        for _ in range(self._max_size):
            connection = pool.getconn(self._timeout_s)
            try:
                connection.sealer = self._keyring.begin(connection, tenant)
            except psycopg.OperationalError:
                pool.putconn(connection)
            except BaseException:
                pool.putconn(connection)
                raise
            else:
                return connection
        raise DatabaseAway("the database closed every connection")

    def _opened(self) -> ConnectionPool[Connection]:
        """The pool of this process: one that came through a fork belongs to the parent."""
        with self._opening:
            if self._pool is None or self._pool_pid != os.getpid():
                self._pool, self._pool_pid = self._new_pool(), os.getpid()
            return self._pool

    def _new_pool(self) -> ConnectionPool[Connection]:
        return ConnectionPool(
            self._url,
            connection_class=Connection,
            min_size=self._min_size,
            max_size=self._max_size,
            kwargs={
                "connect_timeout": 5,
                "application_name": "sightline",
                "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
            },
            open=True,
            name="database",
        )


@contextmanager
def _unreachable() -> Iterator[None]:
    """Errors of the way to the database as ours."""
    try:
        yield
    except PoolTimeout:
        raise DatabaseAway("the database gave no connection in time") from None
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"the database did not answer ({type(error).__name__})") from error
