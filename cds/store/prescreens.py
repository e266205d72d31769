"""Prescreens as they were answered, one for each key. Whose it is stands in a blind index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from cds.store.body import from_column, to_column
from cds.store.database import Connection


def put(
    connection: Connection, tenant: str, *, id: UUID, key: str, patient: str, fhir_server: str, body: object
) -> Callable[[], bool]:
    """Keep a prescreen; where one with this key is kept already, that stays as it is.

    What is returned waits for the database and says whether it is new.
    """
    added = connection.execute(
        "INSERT INTO prescreen (tenant, id, key, patient, fhir_server, body) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING id",
        (
            tenant,
            id,
            key,
            connection.sealer.blind(patient),
            fhir_server,
            to_column(connection, ("prescreen", id), body),
        ),
    )
    return lambda: added.fetchone() is not None


def get(connection: Connection, tenant: str, id: UUID) -> dict[str, Any] | None:
    found = connection.execute("SELECT body FROM prescreen WHERE tenant = %s AND id = %s", (tenant, id)).fetchone()
    return from_column(connection, ("prescreen", id), found[0]) if found else None


def lock(connection: Connection, tenant: str, id: UUID) -> None:
    """Until the transaction ends, whoever else would lock this prescreen waits."""
    # Not the row itself: the application's role may not change it, and so may not lock it.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"prescreen/{tenant}/{id}",))


def of_patient(
    connection: Connection, tenant: str, fhir_server: str, patient: str, limit: int = 20
) -> list[dict[str, Any]]:
    """The latest first."""
    found = connection.execute(
        "SELECT id, body FROM prescreen WHERE tenant = %s AND patient = %s AND fhir_server = %s"
        " ORDER BY created_at DESC LIMIT %s",
        (tenant, connection.sealer.blind(patient), fhir_server, limit),
    ).fetchall()
    return [from_column(connection, ("prescreen", id), body) for id, body in found]
