"""One PostgreSQL and one Valkey for the whole run; every test has a tenant of its own."""

import gc
from collections.abc import Generator, Iterator
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings

from cds.keys import Keys
from cds.settings import Settings
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres, EmbeddedValkey
from cds.store.embedded.postgres import SUPERUSER
from cds.store.migrate import upgrade
from cds.store.sealing import Keyring
from cds.store.valkey import Valkey
from tests.master import MASTER

# What a machine with other work to do takes longer for is no finding.
settings.register_profile("suite", max_examples=50, deadline=None)
settings.load_profile("suite")

pytest_plugins = ["tests.chromium", "tests.distribution", "tests.hospital", "tests.orthanc"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: looking through it for what could go took half the time of importing."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server whose schema is up to date. It is thrown away, so it need not wait for the disk."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        with psycopg.connect(server._url(SUPERUSER, "postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        upgrade(server.admin_url, "cds_app", MASTER)
        yield server


@pytest.fixture(scope="session")
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """The database as the application sees it."""
    database = Database(postgres.app_url, Keyring(MASTER))
    yield database
    database.close()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(scope="session")
def valkey(valkey_url: str) -> Iterator[Valkey]:
    client = Valkey(valkey_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """The service's keys, which no test changes."""
    return Keys.load(Settings(data_dir=tmp_path_factory.mktemp("keys")))


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test writes to."""
    return f"tenant-{uuid4()}"
