"""Bulk exports, made by the worker: which versions go into which file."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cds.registration import Registrations
from cds.store import exports
from cds.store.database import Database


@dataclass(frozen=True, slots=True)
class Exporter:
    """Makes exports, and clears away what has expired."""

    database: Database
    registrations: Registrations

    def export(self, tenant: str, id: str) -> None:
        """Make the export, if it is not made: all of its files in one transaction, or none."""
        with self.database.transaction(tenant) as connection:
            exports.tried(connection, tenant, UUID(id))
        with self.database.transaction(tenant) as connection:
            export = exports.claim(connection, tenant, UUID(id))
            if export:
                exports.write_files(connection, tenant, export)

    def tend(self) -> None:
        """Forget what has expired; add a job for each export that lost its own."""
        for tenant in sorted({registration.tenant for registration in self.registrations}):
            with self.database.transaction(tenant) as connection:
                exports.delete_expired(connection, tenant)
                for id in exports.waiting(connection, tenant):
                    exports.defer(connection, tenant, id)
