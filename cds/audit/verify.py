"""Whether a tenant's audit trail is what was written: nothing changed, dropped, reordered or inserted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cds.audit.chain import GENESIS, Row, event_of, link, rows
from cds.store.database import Connection


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
class Anchor:
    """An event that is known to have had this hash."""

    seq: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a chain from elsewhere: where to begin, and hashes that it must show on its way."""

    start: Anchor = Anchor()
    anchors: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verification:
    """The events after ``start`` hold up to ``count``, whose hash is ``head``; then comes ``broken``, if any."""

    start: int
    count: int
    head: bytes
    broken: Break | None = None

    @property
    def intact(self) -> bool:
        return self.broken is None


NOTHING_KNOWN = Trust()


def verify(connection: Connection, tenant: str, trust: Trust = NOTHING_KNOWN) -> Verification:
    """Check the chain, in a constant amount of memory, while others may append to it.

    A chain rewritten from some event to its end, together with its head, shows only against an anchor.
    """
    head = _head(connection, tenant)
    anchors = {**trust.anchors, head.seq: head.hash} if head.seq else trust.anchors
    walked = walk(
        tenant,
        rows(connection, tenant, trust.start.seq),
        Trust(trust.start, anchors),
        lambda digest: _is_known(connection, tenant, digest),
    )
    if walked.broken:
        return walked
    expected = max([head.seq, trust.start.seq, *trust.anchors])
    return _ended(walked, expected, max(expected, _head(connection, tenant).seq))


def walk(tenant: str, trail: Iterable[Row], trust: Trust, is_known: Callable[[bytes], bool]) -> Verification:
    """Follow the trail from the start until one does not follow; whether the last is the last is not looked at.

    ``is_known`` says whether any event of the trail has a hash.
    """
    start = trust.start.seq
    seq, previous, before = start, trust.start.hash, trust.start.hash
    for row in trail:
        if not _follows(row, tenant, seq, previous) or trust.anchors.get(row.seq, row.hash) != row.hash:
            broken = _named(row, seq, previous, before, known=is_known(row.previous_hash))
            return Verification(start, seq, previous, broken)
        seq, previous, before = row.seq, row.hash, previous
    return Verification(start, seq, previous)


def _ended(walked: Verification, expected: int, at_most: int) -> Verification:
    """The trail ended at ``count``; it was to reach ``expected``, and others may have moved its end meanwhile."""
    broken = None
    if walked.count < expected:
        broken = Break(walked.count + 1, Damage.DROPPED)
    elif walked.count > at_most:
        broken = Break(at_most + 1, Damage.INSERTED)
    return Verification(walked.start, walked.count, walked.head, broken)


def _head(connection: Connection, tenant: str) -> Anchor:
    found = connection.execute("SELECT seq, hash FROM audit_head WHERE tenant = %s", (tenant,)).fetchone()
    return Anchor(*found) if found else Anchor()


def _follows(row: Row, tenant: str, seq: int, previous: bytes) -> bool:
    """Whether ``row`` is the event after ``seq``, and its columns say what its text says."""
    return (
        row.line is not None
        and row.seq == seq + 1
        and row.previous_hash == previous
        and row.hash == link(previous, tenant, row.seq, row.line)
        and _columns_agree(row, row.line)
    )


def _columns_agree(row: Row, line: bytes) -> bool:
    try:
        event = event_of(line)
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


def _named(row: Row, seq: int, previous: bytes, before: bytes, *, known: bool) -> Break:
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
