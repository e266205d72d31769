"""The audit trail: every event carries the hash of the one before it in its tenant's chain.

``hash = SHA-256(previous hash ‖ tenant ‖ NUL ‖ seq ‖ NUL ‖ text)``, where ``seq`` is written in decimal, counts
from 1 and has no gaps, and ``text`` is the event as canonical JSON: keys sorted, no spaces, all but ASCII escaped.
The first event's previous hash is 32 zero bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from cds.store.database import Connection

GENESIS = bytes(32)


def append(connection: Connection, tenant: str, event: Mapping[str, Any]) -> UUID:
    """Add one event to the tenant's chain, in the caller's transaction, and return its id."""
    return append_many(connection, tenant, [event])[0]


def append_many(connection: Connection, tenant: str, events: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Add events in their order. From here until the transaction ends other writers of this chain wait.

    So call it last in a transaction, and once. Every event has ``id`` and ``recorded``.
    """
    if not events:
        return []
    seq, previous = _locked_head(connection, tenant)
    rows = []
    for event in events:
        seq += 1
        text = canonical(event)
        digest = link(previous, tenant, seq, text)
        rows.append((tenant, seq, UUID(event["id"]), event["recorded"], previous, digest, text))
        previous = digest
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO audit_event (tenant, seq, id, recorded, previous_hash, hash, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
    connection.execute("UPDATE audit_head SET seq = %s, hash = %s WHERE tenant = %s", (seq, previous, tenant))
    return [row[2] for row in rows]


def length(connection: Connection, tenant: str) -> int:
    """How many events the tenant's chain holds."""
    found = connection.execute("SELECT seq FROM audit_head WHERE tenant = %s", (tenant,)).fetchone()
    return found[0] if found else 0


def canonical(event: Mapping[str, Any]) -> str:
    """The text that is hashed and stored."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def link(previous: bytes, tenant: str, seq: int, text: str) -> bytes:
    """The hash of an event at its place in the chain."""
    return hashlib.sha256(previous + f"{tenant}\0{seq}\0{text}".encode()).digest()


def _locked_head(connection: Connection, tenant: str) -> tuple[int, bytes]:
    """Where the chain ends, locked: concurrent writers queue here, so the chain cannot fork."""
    head = "SELECT seq, hash FROM audit_head WHERE tenant = %s FOR UPDATE"
    found = connection.execute(head, (tenant,)).fetchone()
    if found is None:
        connection.execute(
            "INSERT INTO audit_head (tenant, seq, hash) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING",
            (tenant, GENESIS),
        )
        found = connection.execute(head, (tenant,)).fetchone()
    assert found is not None
    return found[0], found[1]
