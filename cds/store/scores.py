"""Scores already computed, by key and kind, so that the same question is asked of a model once."""

from __future__ import annotations

from typing import Any

from cds.store.body import Body, from_column, to_column
from cds.store.database import Connection


def get(connection: Connection, tenant: str, key: str, kind: str) -> dict[str, Any] | None:
    found = connection.execute(
        "SELECT body FROM score WHERE tenant = %s AND key = %s AND kind = %s", (tenant, key, kind)
    ).fetchone()
    return from_column(connection, ("score", key, kind), found[0]) if found else None


def put(connection: Connection, tenant: str, key: str, kind: str, body: Body) -> None:
    """Remember; a score that is there already stays, for the same key means the same score."""
    connection.execute(
        "INSERT INTO score (tenant, key, kind, body) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (tenant, key, kind, to_column(connection, ("score", key, kind), body)),
    )


def forget(connection: Connection, tenant: str) -> None:
    """Forget every score of the tenant; each is computed again when it is next asked for."""
    connection.execute("DELETE FROM score WHERE tenant = %s", (tenant,))
