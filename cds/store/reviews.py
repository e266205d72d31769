"""What clinicians said of prescreens when they signed, each act once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from cds.store.body import Body, from_column, to_column
from cds.store.database import Connection


def put(connection: Connection, tenant: str, *, id: UUID, prescreen: UUID, body: Body) -> bool:
    """Keep a review; false where this act is kept already, which then stays as it is."""
    done = connection.execute(
        "INSERT INTO review (tenant, id, prescreen_id, body) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (tenant, id, prescreen, to_column(connection, ("review", id), body)),
    )
    return done.rowcount == 1


def of_prescreen(connection: Connection, tenant: str, prescreen: UUID) -> list[dict[str, Any]]:
    """The oldest first."""
    found = connection.execute(
        "SELECT id, body FROM review WHERE tenant = %s AND prescreen_id = %s ORDER BY created_at",
        (tenant, prescreen),
    ).fetchall()
    return [from_column(connection, ("review", id), body) for id, body in found]
