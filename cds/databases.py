"""PostgreSQL and Valkey: yours where the settings name them, our own embedded ones where they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from cds.errors import ConfigurationError
from cds.settings import Settings
from cds.store import migrate
from cds.store.embedded import EmbeddedPostgres, EmbeddedValkey
from cds.store.embedded.server import EmbeddedServer


@contextmanager
def databases(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of every database that they did not name; those run while this is open.

    Raises :class:`ConfigurationError` where another process runs them already.
    """
    with ExitStack() as running:
        yield _named(settings, running.enter_context)


@contextmanager
def reached(settings: Settings) -> Iterator[Settings]:
    """The same for a command beside a service: its embedded databases are used if they run, else started."""
    with ExitStack() as running:
        yield _named(settings, lambda server: server if server.running() else running.enter_context(server))


def upgrade(settings: Settings) -> list[str]:
    """Bring the schema up to date as the owner of the tables; the names of the steps that were lacking."""
    owner = settings.database_admin_url or settings.database_url
    return migrate.upgrade(owner, migrate.role_of(settings.database_url))


def _named(settings: Settings, run: Callable[[EmbeddedServer], EmbeddedServer]) -> Settings:
    if settings.production and not (settings.database_url and settings.redis_url):
        raise ConfigurationError("CDS_ENV=production needs CDS_DATABASE_URL and CDS_REDIS_URL")
    if not settings.database_url:
        postgres = EmbeddedPostgres(settings.data_dir)
        run(postgres)
        settings = replace(settings, database_url=postgres.app_url, database_admin_url=postgres.admin_url)
    if not settings.redis_url:
        valkey = EmbeddedValkey(settings.data_dir)
        run(valkey)
        settings = replace(settings, redis_url=valkey.url)
    return settings
