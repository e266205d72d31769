"""Bulk exports (FHIR Bulk Data Access 2.0): what was asked for, and the versions that its files are made of.

A file is a list of versions, which never change; their content is read when the file is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from cds.store.database import Connection
from cds.store.outbox import QUEUE

TASK = "export"
"""The Procrastinate task ``export(tenant, id)`` that the worker runs."""

FILE_RESOURCES = 5000
LIFETIME = timedelta(hours=24)
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Export:
    id: UUID
    request: str
    types: tuple[str, ...]
    fhir_server: str | None
    """The patients of one EHR alone, or all."""
    since: datetime | None
    created_at: datetime
    expires_at: datetime
    done_at: datetime | None
    failed: str | None


class File(NamedTuple):
    number: int
    type: str
    resources: int


class Members(NamedTuple):
    """What a file is made of, in its order."""

    type: str
    ids: list[str]
    versions: list[int]


def create(
    connection: Connection,
    tenant: str,
    *,
    id: UUID,
    owner: str,
    request: str,
    types: Sequence[str],
    fhir_server: str | None = None,
    since: datetime | None = None,
) -> None:
    """Keep the request and its job."""
    connection.execute(
        "INSERT INTO bulk_export (tenant, id, owner, request, types, fhir_server, since, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, now() + %s)",
        (tenant, id, owner, request, list(types), fhir_server, since, LIFETIME),
    )
    defer(connection, tenant, id)


def defer(connection: Connection, tenant: str, id: UUID) -> None:
    connection.execute(
        "SELECT procrastinate_defer_jobs_v1("
        "ARRAY[ROW(%s, %s, 0, NULL, NULL, %s, NULL)]::procrastinate_job_to_defer_v1[])",
        (QUEUE, TASK, Jsonb({"tenant": tenant, "id": str(id)})),
    )


def get(connection: Connection, tenant: str, id: UUID, owner: str) -> Export | None:
    """The export, if it is this owner's and has not expired."""
    found = connection.execute(
        "SELECT id, request, types, fhir_server, since, created_at, expires_at, done_at, failed FROM bulk_export"
        " WHERE tenant = %s AND id = %s AND owner = %s AND expires_at > now()",
        (tenant, id, owner),
    ).fetchone()
    return _export(found) if found else None


def under_way(connection: Connection, tenant: str, owner: str) -> int:
    """How many exports of the owner are not done."""
    found = connection.execute(
        "SELECT count(*) FROM bulk_export WHERE tenant = %s AND owner = %s AND done_at IS NULL AND failed IS NULL"
        " AND expires_at > now()",
        (tenant, owner),
    ).fetchone()
    assert found is not None
    return int(found[0])


def claim(connection: Connection, tenant: str, id: UUID) -> Export | None:
    """The export, locked until the transaction ends; none where it is done, given up, deleted or another's now."""
    found = connection.execute(
        "SELECT id, request, types, fhir_server, since, created_at, expires_at, done_at, failed FROM bulk_export"
        " WHERE tenant = %s AND id = %s AND done_at IS NULL AND failed IS NULL FOR UPDATE SKIP LOCKED",
        (tenant, id),
    ).fetchone()
    return _export(found) if found else None


def tried(connection: Connection, tenant: str, id: UUID) -> None:
    """Count one more attempt, in a transaction before the work; too many, and the export has failed."""
    connection.execute(
        "UPDATE bulk_export SET attempts = attempts + 1,"
        " failed = CASE WHEN attempts >= %s THEN 'the export could not be made' END"
        " WHERE tenant = %s AND id = %s AND done_at IS NULL",
        (MAX_ATTEMPTS, tenant, id),
    )


def write_files(connection: Connection, tenant: str, export: Export) -> None:
    """List every current version that the export asks for, as of the moment it was asked, and mark it done."""
    number = 0
    for type in export.types:
        place: tuple[datetime, int] | None = None
        while True:
            rows = _members(connection, tenant, export, type, place)
            if not rows:
                break
            number += 1
            ids, versions = [row[0] for row in rows], [row[1] for row in rows]
            connection.execute(
                "INSERT INTO bulk_export_file (tenant, export, number, type, ids, versions)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (tenant, export.id, number, type, ids, versions),
            )
            place = rows[-1][2], rows[-1][3]
    connection.execute("UPDATE bulk_export SET done_at = now() WHERE tenant = %s AND id = %s", (tenant, export.id))


def files(connection: Connection, tenant: str, id: UUID) -> list[File]:
    found = connection.execute(
        "SELECT number, type, cardinality(ids) FROM bulk_export_file"
        " WHERE tenant = %s AND export = %s ORDER BY number",
        (tenant, id),
    )
    return [File(*row) for row in found]


def members(connection: Connection, tenant: str, id: UUID, number: int) -> Members | None:
    found = connection.execute(
        "SELECT type, ids, versions FROM bulk_export_file WHERE tenant = %s AND export = %s AND number = %s",
        (tenant, id, number),
    ).fetchone()
    return Members(*found) if found else None


def delete(connection: Connection, tenant: str, id: UUID) -> None:
    connection.execute("DELETE FROM bulk_export WHERE tenant = %s AND id = %s", (tenant, id))


def delete_expired(connection: Connection, tenant: str) -> None:
    connection.execute("DELETE FROM bulk_export WHERE tenant = %s AND expires_at <= now()", (tenant,))


def waiting(connection: Connection, tenant: str) -> list[UUID]:
    """The exports that nobody is at work on: those whose job was lost are found so."""
    found = connection.execute(
        "SELECT id FROM bulk_export WHERE tenant = %s AND done_at IS NULL AND failed IS NULL"
        " AND expires_at > now() FOR UPDATE SKIP LOCKED",
        (tenant,),
    )
    return [id for (id,) in found]


def _members(
    connection: Connection, tenant: str, export: Export, type: str, place: tuple[datetime, int] | None
) -> list[tuple[str, int, datetime, int]]:
    """The next of a type after ``place``: id, version, last update, number in the index."""
    return connection.execute(
        "SELECT s.id, coalesce(r.version, 1), s.last_updated, s.number FROM search_row s"
        " LEFT JOIN resource r ON r.tenant = s.tenant AND r.type = s.type AND r.id = s.id"
        " WHERE s.tenant = %(tenant)s AND s.type = %(type)s AND s.last_updated <= %(until)s"
        " AND (s.last_updated, s.number) > (%(last)s::timestamptz, %(number)s)"
        " AND (%(server)s::text IS NULL OR r.fhir_server = %(server)s"
        " OR (s.type = 'AuditEvent' AND s.patient IS NOT NULL))"
        " ORDER BY s.last_updated, s.number LIMIT %(limit)s",
        {
            "tenant": tenant,
            "type": type,
            "until": export.created_at,
            "last": place[0] if place else export.since or "-infinity",
            "number": place[1] if place else 0,
            "server": export.fhir_server,
            "limit": FILE_RESOURCES,
        },
    ).fetchall()


def _export(row: Sequence[Any]) -> Export:
    id, request, types, *rest = row
    return Export(id, request, tuple(types), *rest)
