"""Scores already computed, by key and kind, so that the same question is asked of a model once."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson

from cds.store.body import from_column, to_column
from cds.store.database import Connection


def key_of(secret: bytes, *inputs: Any) -> str:
    """One key of many inputs: the same inputs, the same key.

    Keyed, for it stands unsealed in the database and in Valkey: who reads it there could otherwise try out what a
    note says, or whose study it is.
    """
    return hmac.digest(secret, orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS), hashlib.sha256).hex()


def get(connection: Connection, tenant: str, key: str, kind: str) -> dict[str, Any] | None:
    found = connection.execute(
        "SELECT body FROM score WHERE tenant = %s AND key = %s AND kind = %s", (tenant, key, kind)
    ).fetchone()
    return from_column(connection, ("score", key, kind), found[0]) if found else None


def put(connection: Connection, tenant: str, key: str, kind: str, body: object) -> None:
    """Remember; a score that is there already stays, for the same key means the same score."""
    connection.execute(
        "INSERT INTO score (tenant, key, kind, body) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (tenant, key, kind, to_column(connection, ("score", key, kind), body)),
    )


def forget(connection: Connection, tenant: str) -> None:
    """Forget every score of the tenant; each is computed again when it is next asked for."""
    connection.execute("DELETE FROM score WHERE tenant = %s", (tenant,))
