"""PostgreSQL and Valkey: yours where the settings name them, our own embedded ones where they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from cds.errors import ConfigurationError
from cds.keys import Keys
from cds.settings import Settings
from cds.store import master_key, migrate
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres, EmbeddedValkey
from cds.store.embedded.server import EmbeddedServer
from cds.store.master_key import MasterKey
from cds.store.sealing import Keyring


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
    return migrate.upgrade(owner, migrate.role_of(settings.database_url), master_of(settings))


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database as the application's role."""
    with closing(Database(settings.database_url, Keyring(master_of(settings)))) as database:
        yield database


@contextmanager
def owned(settings: Settings) -> Iterator[Database]:
    """The database as the owner of the tables, for what the application's role must not do."""
    if not settings.database_admin_url:
        raise ConfigurationError("CDS_DATABASE_ADMIN_URL is not set: this is for the owner of the tables")
    with closing(Database(settings.database_admin_url, Keyring(master_of(settings)), max_size=2)) as database:
        yield database


def master_of(settings: Settings) -> MasterKey:
    """What wraps the tenants' keys."""
    return master_key.from_settings(settings, Keys.load(settings))


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
