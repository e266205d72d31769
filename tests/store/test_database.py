"""One tenant per transaction, and nothing that connects before it is needed."""

import os
from pathlib import Path

import psycopg
import pytest

from cds.errors import Unreachable
from cds.store import scores
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.sealing import Keyring
from tests.master import MASTER

BODY = {"probabilities": {"effusion": 0.25}}


def test_a_tenant_sees_its_own_rows_alone(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
    with database.transaction(f"other than {tenant}") as connection:
        assert scores.get(connection, tenant, "key", "image") is None
        assert connection.execute("SELECT count(*) FROM score").fetchone() == (0,)
    with database.transaction(tenant) as connection:
        assert scores.get(connection, tenant, "key", "image") == BODY


def test_a_tenant_cannot_write_for_another(database: Database, tenant: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
        database.transaction(tenant) as connection,
    ):
        scores.put(connection, "another tenant", "key", "image", BODY)


def test_without_a_tenant_there_is_nothing_to_see(
    database: Database, postgres: EmbeddedPostgres, tenant: str
) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
    for url in (postgres.app_url, postgres.admin_url):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM score").fetchone() == (0,)


def test_the_tenant_ends_with_the_transaction(postgres: EmbeddedPostgres, tenant: str) -> None:
    one = Database(postgres.app_url, Keyring(MASTER), max_size=1)
    with one.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
    with one._opened().connection() as connection:
        assert connection.execute("SELECT count(*) FROM score").fetchone() == (0,)
    one.close()


def test_an_error_takes_everything_back(database: Database, tenant: str) -> None:
    def written_then_broken() -> None:
        with database.transaction(tenant) as connection:
            scores.put(connection, tenant, "key", "image", BODY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        written_then_broken()
    with database.transaction(tenant) as connection:
        assert scores.get(connection, tenant, "key", "image") is None


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    database = Database(f"postgresql://cds_app@/sightline?host={tmp_path}", Keyring(MASTER), timeout_s=0.2)
    with pytest.raises(Unreachable):
        database.ping()
    with pytest.raises(Unreachable), database.transaction("tenant"):
        pytest.fail("there is nothing to work with")
    database.close()


def test_a_connection_that_was_cut_is_replaced(postgres: EmbeddedPostgres) -> None:
    one = Database(postgres.app_url, Keyring(MASTER), max_size=1)
    with pytest.raises(Unreachable), one.transaction("tenant") as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    one.ping()
    one.close()


def test_a_forked_process_opens_connections_of_its_own(database: Database) -> None:
    database.ping()
    child = os.fork()
    if child == 0:
        try:
            database.ping()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    database.ping()
