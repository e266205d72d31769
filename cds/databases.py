"""PostgreSQL and Valkey: yours where the settings name them, our own embedded ones where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from cds.errors import ConfigurationError
from cds.settings import Settings
from cds.store.embedded.postgres import EmbeddedPostgres
from cds.store.embedded.valkey import EmbeddedValkey


@contextmanager
def databases(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of every database that they did not name; those run while this is open."""
    if settings.production and not (settings.database_url and settings.redis_url):
        raise ConfigurationError("CDS_ENV=production needs CDS_DATABASE_URL and CDS_REDIS_URL")
    with ExitStack() as running:
        if not settings.database_url:
            postgres = running.enter_context(EmbeddedPostgres(settings.data_dir))
            settings = replace(settings, database_url=postgres.app_url, database_admin_url=postgres.admin_url)
        if not settings.redis_url:
            valkey = running.enter_context(EmbeddedValkey(settings.data_dir))
            settings = replace(settings, redis_url=valkey.url)
        yield settings
