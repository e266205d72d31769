"""PostgreSQL and Valkey from wheels, for a machine that has neither."""

from cds.store.embedded.postgres import EmbeddedPostgres
from cds.store.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey"]
