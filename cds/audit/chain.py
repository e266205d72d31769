"""The audit trail: every event carries the hash of the one before it in its tenant's chain.

``hash = SHA-256(previous hash ‖ tenant ‖ NUL ‖ seq ‖ NUL ‖ line)``, where ``seq`` is written in decimal, counts
from 1 and has no gaps, and ``line`` is 32 random hexadecimal digits, then the event as canonical JSON: keys
sorted, no spaces, all but ASCII escaped. The first event's previous hash is 32 zero bytes.

What is hashed is the plain line, what is stored is the line sealed. So the chain outlives a change of keys, and an
export verifies by itself. The digits keep whoever reads the hashes from trying out which patient an event names.
Events of before sealing have none.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from cds.errors import IntegrityError
from cds.store.database import Connection
from cds.store.sealing import Place
from cds.store.search import index
from cds.store.search.subject import entry

GENESIS = bytes(32)
SALT_BYTES = 16
BATCH = 500
"""Rows fetched at a time: what the processor's caches hold."""


class Row(NamedTuple):
    """An event in its place; the line is none where it cannot be opened."""

    seq: int
    id: UUID
    recorded: datetime
    previous_hash: bytes
    hash: bytes
    line: bytes | None


def append(connection: Connection, tenant: str, event: Mapping[str, Any]) -> UUID:
    """Add one event to the tenant's chain, in the caller's transaction, and return its id."""
    return append_many(connection, tenant, [event])[0]


def append_many(connection: Connection, tenant: str, events: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Add events in their order. From here until the transaction ends other writers of this chain wait.

    So call it last in a transaction, and once. Every event has ``id`` and ``recorded``.
    """
    if not events:
        return []
    # Before the lock whatever can be: what is done behind it makes the others wait.
    index.add(connection, tenant, [entry(event) for event in events])
    lines = [(secrets.token_hex(SALT_BYTES) + canonical(event)).encode() for event in events]
    seq, previous = _locked_head(connection, tenant)
    rows = []
    for event, line in zip(events, lines, strict=True):
        seq += 1
        digest = link(previous, tenant, seq, line)
        sealed = connection.sealer.seal(place(seq), line)
        rows.append((tenant, seq, UUID(event["id"]), event["recorded"], previous, digest, sealed))
        previous = digest
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO audit_event (tenant, seq, id, recorded, previous_hash, hash, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
    connection.execute("UPDATE audit_head SET seq = %s, hash = %s WHERE tenant = %s", (seq, previous, tenant))
    return [row[2] for row in rows]


def rows(connection: Connection, tenant: str, after: int = 0, limit: int | None = None) -> Iterator[Row]:
    """The events after a place in the chain, in their order, a few hundred in memory at a time."""
    with connection.cursor(name="audit_trail", binary=True) as cursor:
        cursor.itersize = BATCH
        cursor.execute(
            "SELECT seq, id, recorded, previous_hash, hash, body FROM audit_event"
            " WHERE tenant = %s AND seq > %s ORDER BY seq LIMIT %s",
            (tenant, after, limit),
        )
        for seq, id, recorded, previous_hash, hash, sealed in cursor:
            yield Row(seq, id, recorded, previous_hash, hash, _opened(connection, seq, sealed))


def _opened(connection: Connection, seq: int, sealed: bytes) -> bytes | None:
    try:
        return connection.sealer.open(place(seq), sealed)
    except IntegrityError:
        return None


def event_of(line: bytes) -> dict[str, Any]:
    """The AuditEvent in a line of the chain; ValueError where there is none."""
    text = line[line.index(b"{") :]
    try:
        event: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        event = json.loads(text)  # lone surrogates, which orjson refuses
    return event


def length(connection: Connection, tenant: str) -> int:
    """How many events the tenant's chain holds."""
    found = connection.execute("SELECT seq FROM audit_head WHERE tenant = %s", (tenant,)).fetchone()
    return found[0] if found else 0


def canonical(event: Mapping[str, Any]) -> str:
    """An event's text, always the same for the same event."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def link(previous: bytes, tenant: str, seq: int, line: bytes) -> bytes:
    """The hash of an event at its place in the chain."""
    return hashlib.sha256(b"%b%b\0%d\0%b" % (previous, tenant.encode(), seq, line)).digest()


def place(seq: int) -> Place:
    """What the sealed line of an event is bound to, beside its tenant."""
    return ("audit_event", seq)


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
