"""Whether a tenant's audit trail is what was written: nothing changed, dropped, reordered or inserted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from cds.audit.chain import GENESIS, link
from cds.store.database import Connection

BATCH = 5000
"""Rows fetched at a time."""


class Damage(StrEnum):
    CHANGED = "changed"
    DROPPED = "dropped"
    REORDERED = "reordered"
    INSERTED = "inserted"


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold."""

    seq: int
    damage: Damage

    def __str__(self) -> str:
        return f"event {self.seq} was {self.damage}"


@dataclass(frozen=True, slots=True)
class Verification:
    """``count`` events hold, the last of which has the hash ``head``; then comes ``broken``, if anything does."""

    count: int
    head: bytes
    broken: Break | None = None

    @property
    def intact(self) -> bool:
        return self.broken is None


class _Row(NamedTuple):
    seq: int
    id: UUID
    recorded: datetime
    previous_hash: bytes
    hash: bytes
    body: str


def verify(connection: Connection, tenant: str) -> Verification:
    """Check the whole chain, in a constant amount of memory, while others may append to it.

    What it cannot see is a chain rewritten from some event to its end together with its head: that takes a hash
    kept elsewhere.
    """
    head_seq, head_hash = _head(connection, tenant)
    seq, previous, before = 0, GENESIS, GENESIS
    with connection.cursor(name="audit_verify", binary=True) as cursor:
        cursor.itersize = BATCH
        cursor.execute(
            "SELECT seq, id, recorded, previous_hash, hash, body FROM audit_event WHERE tenant = %s ORDER BY seq",
            (tenant,),
        )
        for row in map(_Row._make, cursor):
            if not _follows(row, tenant, seq, previous) or (row.seq == head_seq and row.hash != head_hash):
                known = _is_known(connection, tenant, row.previous_hash)
                return Verification(seq, previous, _named(row, seq, previous, before, known=known))
            seq, previous, before = row.seq, row.hash, previous
    return Verification(seq, previous, _end(seq, head_seq, _head(connection, tenant)[0]))


def _head(connection: Connection, tenant: str) -> tuple[int, bytes]:
    found = connection.execute("SELECT seq, hash FROM audit_head WHERE tenant = %s", (tenant,)).fetchone()
    return (found[0], found[1]) if found else (0, GENESIS)


def _follows(row: _Row, tenant: str, seq: int, previous: bytes) -> bool:
    """Whether ``row`` is the event after ``seq``, and its columns say what its text says."""
    return (
        row.seq == seq + 1
        and row.previous_hash == previous
        and row.hash == link(previous, tenant, row.seq, row.body)
        and _columns_agree(row)
    )


def _columns_agree(row: _Row) -> bool:
    try:
        event = json.loads(row.body)
        return bool(event["id"] == str(row.id) and datetime.fromisoformat(event["recorded"]) == row.recorded)
    except (ValueError, KeyError, TypeError):
        return False


def _is_known(connection: Connection, tenant: str, digest: bytes) -> bool:
    """Whether some event of the trail has this hash."""
    return bool(
        connection.execute(
            "SELECT 1 FROM audit_event WHERE tenant = %s AND hash = %s", (tenant, digest)
        ).fetchone()
    )


def _named(row: _Row, seq: int, previous: bytes, before: bytes, *, known: bool) -> Break:
    """What happened at ``row``, the first that does not follow the event ``seq``.

    ``previous`` is that event's hash, ``before`` the hash of the one before it, and ``known`` says whether the
    event that ``row`` itself claims to follow is anywhere in the trail.
    """
    if row.seq > seq + 1:
        return Break(seq + 1, Damage.DROPPED)
    if row.previous_hash == previous:
        return Break(row.seq, Damage.CHANGED)
    if row.previous_hash == before:
        return Break(seq, Damage.INSERTED)
    return Break(row.seq, Damage.REORDERED if known else Damage.DROPPED)


def _end(seq: int, head_before: int, head_after: int) -> Break | None:
    """The trail ends at ``seq``; the head was read before and after, and others may have moved it meanwhile."""
    if seq < head_before:
        return Break(seq + 1, Damage.DROPPED)
    if seq > head_after:
        return Break(head_after + 1, Damage.INSERTED)
    return None
