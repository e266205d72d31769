"""One PostgreSQL and one Valkey for the whole run; every test has a tenant of its own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres, EmbeddedValkey
from cds.store.migrate import upgrade
from cds.store.valkey import Valkey


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server whose schema is up to date."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        upgrade(server.admin_url, "cds_app")
        yield server


@pytest.fixture(scope="session")
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """The database as the application sees it."""
    database = Database(postgres.app_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        client = Valkey(server.url)
        yield client
        client.close()


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test writes to."""
    return f"tenant-{uuid4()}"
