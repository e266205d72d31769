"""What clinicians said of prescreens, signed or not, each act once."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from cds.store.body import Body, from_column, to_column
from cds.store.database import Connection


class Said(NamedTuple):
    """One act."""

    signed: bool
    body: dict[str, Any]


def put(
    connection: Connection, tenant: str, *, id: UUID, prescreen: UUID, body: Body, signed: bool = True
) -> bool:
    """Keep what was said; false where this act is kept already, which then stays as it is."""
    done = connection.execute(
        "INSERT INTO review (tenant, id, prescreen_id, body, signed) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING tenant",
        (tenant, id, prescreen, to_column(connection, ("review", id), body), signed),
    )
    return done.fetchone() is not None


def of_prescreen(connection: Connection, tenant: str, prescreen: UUID) -> list[Said]:
    """The oldest first."""
    found = connection.execute(
        "SELECT id, signed, body FROM review WHERE tenant = %s AND prescreen_id = %s ORDER BY created_at",
        (tenant, prescreen),
    ).fetchall()
    return [Said(signed, from_column(connection, ("review", id), body)) for id, signed, body in found]
