"""How far each tenant's chain was forwarded to an audit record repository, and how that goes.

A place in the chain is all that is kept: what comes after it has not been taken yet. So nothing is lost while the
repository is away, and one that is new gets the whole trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cds.store.database import Connection
from cds.store.outbox import ERROR_CHARACTERS, FIRST_PAUSE, LEASE, LONGEST_PAUSE

LAST_DOUBLING = 12
"""The pause grows no more after so many failures in a row; it is never given up."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What may be shown of one."""

    repository: str
    waiting: int
    """Events that the repository has not taken yet."""
    forwarded_at: datetime | None
    attempts: int
    """Failures since."""
    last_error: str | None


def claim(connection: Connection, tenant: str, repository: str) -> int | None:
    """The place after which to go on, this worker's alone for a while; none where it is another's, or not due.

    Commit, then send.
    """
    connection.execute(
        "INSERT INTO audit_feed (tenant, repository) VALUES (%s, %s) ON CONFLICT DO NOTHING", (tenant, repository)
    )
    found = connection.execute(
        "UPDATE audit_feed SET attempts = attempts + 1, next_attempt_at = now() + %s"
        " WHERE tenant = %s AND repository = %s AND next_attempt_at <= now()"
        " AND seq < (SELECT seq FROM audit_head WHERE tenant = %s) RETURNING seq",
        (LEASE, tenant, repository, tenant),
    ).fetchone()
    return found[0] if found else None


def taken(connection: Connection, tenant: str, repository: str, seq: int) -> None:
    """The repository holds every event up to ``seq``."""
    connection.execute(
        "UPDATE audit_feed SET seq = greatest(seq, %s), forwarded_at = now(),"
        " attempts = 0, next_attempt_at = now(), last_error = NULL WHERE tenant = %s AND repository = %s",
        (seq, tenant, repository),
    )


def failed(connection: Connection, tenant: str, repository: str, error: str) -> None:
    """Go on after a pause that doubles, up to a longest; ``error`` is one plain sentence without patient data."""
    connection.execute(
        "UPDATE audit_feed SET last_error = %s,"
        " next_attempt_at = now() + least(%s * 2 ^ least(attempts - 1, %s), %s) * (0.5 + random() / 2)"
        " WHERE tenant = %s AND repository = %s",
        (error[:ERROR_CHARACTERS], FIRST_PAUSE, LAST_DOUBLING, LONGEST_PAUSE, tenant, repository),
    )


def place(connection: Connection, tenant: str, repository: str) -> int:
    """The last event that the repository took; 0 where it took none."""
    found = connection.execute(
        "SELECT seq FROM audit_feed WHERE tenant = %s AND repository = %s", (tenant, repository)
    ).fetchone()
    return found[0] if found else 0


def feeds(connection: Connection, tenant: str) -> list[Feed]:
    """Every repository that the tenant's events were forwarded to."""
    found = connection.execute(
        "SELECT repository, head.seq - feed.seq, forwarded_at, attempts, last_error FROM audit_feed feed"
        " JOIN audit_head head USING (tenant) WHERE tenant = %s ORDER BY repository",
        (tenant,),
    )
    return [Feed(*row) for row in found]
