"""What the worker is to make or to deliver, and the job that does it, committed with what it tells of.

A delivery is tried at least once: what receives it must know it by its idempotency key. A job's arguments are the
tenant and the delivery's id, nothing else; the jobs table is no place for patient data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from cds.store.body import Body, from_column, to_column
from cds.store.database import Connection

QUEUE = "outbox"
TASK = "deliver"
"""The Procrastinate task ``deliver(tenant, id)`` that the worker runs."""

PRESCREEN = "prescreen"
"""The kind of what the worker itself finishes: a prescreen of which a part was late for its answer."""
REPORT = "report"
"""The kind of what the worker itself makes: the report of a prescreen, which it then delivers as results."""
FHIR_RESULTS = "fhir-results"
"""The kind of a delivery whose payload is a Bundle for the EHR at ``destination``."""
FHIR_AMENDMENT = "fhir-amendment"
"""The kind of a delivery whose payload is what a Bundle delivered before says now."""
FHIR_OPINION = "fhir-opinion"
"""The kind of a delivery whose payload is what a clinician says of results that were delivered before."""
DICOM_RESULTS = "dicom-results"
"""The kind of a delivery whose payload names a prescreen, for the PACS at ``destination`` that holds its study."""
DICOM_REJECTION = "dicom-rejection"
"""The kind of a delivery that takes those back, and says why."""

AMENDED = {
    FHIR_AMENDMENT: (FHIR_RESULTS, FHIR_AMENDMENT),
    FHIR_OPINION: (FHIR_RESULTS, FHIR_AMENDMENT, FHIR_OPINION),
    DICOM_REJECTION: (DICOM_RESULTS,),
}
"""The kinds that an amendment goes after, by its own."""

MAX_ATTEMPTS = 10
LEASE = timedelta(minutes=2)
"""How long a claimed delivery is its worker's own; then it is due again."""
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)
ERROR_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    kind: str
    destination: str
    idempotency_key: str
    payload: dict[str, Any]
    attempts: int
    """How often it was tried, this time included."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What may be shown of a delivery. One that was given up is dead; :func:`retry` takes it up again."""

    id: int
    kind: str
    destination: str
    created_at: datetime
    attempts: int
    last_error: str | None


def enqueue(
    connection: Connection, tenant: str, *, kind: str, destination: str, payload: Body, idempotency_key: str
) -> None:
    """Add a delivery and its job; nothing for a key that was used before."""
    sealed = to_column(connection, ("outbox", idempotency_key), payload)
    # Both in one statement: nothing is waited for, so that many can be sent at once.
    connection.execute(
        "WITH added AS (INSERT INTO outbox (tenant, kind, destination, idempotency_key, body)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING tenant, id)"
        " SELECT procrastinate_defer_jobs_v1(ARRAY["
        "ROW(%s, %s, 0, NULL, NULL, jsonb_build_object('tenant', tenant, 'id', id), NULL)"
        "]::procrastinate_job_to_defer_v1[]) FROM added",
        (tenant, kind, destination, idempotency_key, sealed, QUEUE, TASK),
    )


def defer(connection: Connection, tenant: str, id: int, at: datetime | None = None) -> None:
    """Add the job for a delivery. One job too many does no harm: :func:`claim` lets one through."""
    connection.execute(
        "SELECT procrastinate_defer_jobs_v1("
        "ARRAY[ROW(%s, %s, 0, NULL, NULL, %s, %s)]::procrastinate_job_to_defer_v1[])",
        (QUEUE, TASK, Jsonb({"tenant": tenant, "id": id}), at),
    )


def due(connection: Connection, tenant: str, limit: int = 100) -> list[int]:
    """The deliveries whose time has come: those whose job was lost are found so. The oldest first."""
    found = connection.execute(
        "SELECT id FROM outbox WHERE tenant = %s AND next_attempt_at <= now()"
        " ORDER BY next_attempt_at, id LIMIT %s",
        (tenant, limit),
    )
    return [id for (id,) in found]


def claim(connection: Connection, tenant: str, id: int) -> Delivery | None:
    """Take a delivery for :data:`LEASE`; none where it is done, given up, not due, or another's.

    Commit, then send. A try counts from here: a delivery whose workers die of it is given up too.
    """
    found = connection.execute(
        "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = CASE WHEN attempts < %s THEN now() + %s END"
        " WHERE tenant = %s AND id = %s AND next_attempt_at <= now()"
        " RETURNING next_attempt_at, kind, destination, idempotency_key, body, attempts",
        (MAX_ATTEMPTS, LEASE, tenant, id),
    ).fetchone()
    if found is None or found[0] is None:
        return None
    _, kind, destination, key, body, attempts = found
    return Delivery(id, kind, destination, key, from_column(connection, ("outbox", key), body), attempts)


def delivered(connection: Connection, tenant: str, id: int) -> None:
    connection.execute(
        "UPDATE outbox SET delivered_at = now(), next_attempt_at = NULL, last_error = NULL"
        " WHERE tenant = %s AND id = %s AND delivered_at IS NULL",
        (tenant, id),
    )


def failed(connection: Connection, tenant: str, id: int, error: str) -> datetime | None:
    """Try again after a pause that doubles, and return when; none where it is given up after many tries.

    Up to half of the pause is left out by chance, so that what failed together does not come back together.
    ``error`` is one plain sentence without patient data, such as those of :mod:`cds.errors`.
    """
    found = connection.execute(
        "UPDATE outbox SET last_error = %s, next_attempt_at ="
        " CASE WHEN attempts < %s THEN now() + least(%s * 2 ^ (attempts - 1), %s) * (0.5 + random() / 2) END"
        " WHERE tenant = %s AND id = %s AND delivered_at IS NULL RETURNING next_attempt_at",
        (error[:ERROR_CHARACTERS], MAX_ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE, tenant, id),
    ).fetchone()
    if found is None or found[0] is None:
        return None
    at: datetime = found[0]
    defer(connection, tenant, id, at)
    return at


def replace_undelivered(connection: Connection, tenant: str, idempotency_key: str, payload: Body) -> None:
    """Let what has not arrived yet, if it does at all, arrive as ``payload``."""
    connection.execute(
        "UPDATE outbox SET body = %s WHERE tenant = %s AND idempotency_key = %s AND delivered_at IS NULL",
        (to_column(connection, ("outbox", idempotency_key), payload), tenant, idempotency_key),
    )


def amend(connection: Connection, tenant: str, *, amended: str, by: str, destination: str, payload: Body) -> None:
    """Results of the key ``amended`` that have not arrived yet arrive as ``payload``; those that have are amended.

    ``by`` tells the amendments of the same results apart.
    """
    replace_undelivered(connection, tenant, amended, payload)
    enqueue(
        connection,
        tenant,
        kind=FHIR_AMENDMENT,
        destination=destination,
        payload=payload,
        idempotency_key=f"{amended}/{by}",
    )


def must_wait(connection: Connection, tenant: str, delivery: Delivery) -> bool:
    """Whether something that the amendment ``delivery`` goes after is still to be made.

    What is amended, and what amends it, have the same beginning of their keys up to the slash.
    """
    found = connection.execute(
        "SELECT 1 FROM outbox WHERE tenant = %s AND next_attempt_at IS NOT NULL"
        " AND split_part(idempotency_key, '/', 1) = split_part(%s, '/', 1) AND kind = ANY (%s) AND id < %s",
        (tenant, delivery.idempotency_key, list(AMENDED[delivery.kind]), delivery.id),
    )
    return found.fetchone() is not None


def undelivered(connection: Connection, tenant: str) -> int:
    """How many deliveries have not arrived yet, those given up included."""
    found = connection.execute(
        "SELECT count(*) FROM outbox WHERE tenant = %s AND delivered_at IS NULL", (tenant,)
    ).fetchone()
    assert found is not None
    return int(found[0])


def hurry(connection: Connection, tenant: str) -> None:
    """Make every delivery that waits due now: for when no worker runs, and a lease is a dead one's."""
    waiting = connection.execute(
        "UPDATE outbox SET next_attempt_at = now() WHERE tenant = %s AND next_attempt_at > now() RETURNING id",
        (tenant,),
    ).fetchall()
    for (id,) in waiting:
        defer(connection, tenant, id)


def waiting(connection: Connection, tenant: str) -> list[Letter]:
    """The deliveries that are still to be made, the oldest first."""
    found = connection.execute(
        "SELECT id, kind, destination, created_at, attempts, last_error FROM outbox"
        " WHERE tenant = %s AND next_attempt_at IS NOT NULL ORDER BY id",
        (tenant,),
    )
    return [Letter(*row) for row in found]


def dead(connection: Connection, tenant: str) -> list[Letter]:
    """The deliveries that were given up, the oldest first."""
    found = connection.execute(
        "SELECT id, kind, destination, created_at, attempts, last_error FROM outbox"
        " WHERE tenant = %s AND next_attempt_at IS NULL AND delivered_at IS NULL ORDER BY id",
        (tenant,),
    )
    return [Letter(*row) for row in found]


def retry(connection: Connection, tenant: str, id: int) -> bool:
    """Take up a dead letter again, as if it were new; false where there is none with this id."""
    found = connection.execute(
        "UPDATE outbox SET attempts = 0, next_attempt_at = now()"
        " WHERE tenant = %s AND id = %s AND next_attempt_at IS NULL AND delivered_at IS NULL",
        (tenant, id),
    )
    if found.rowcount != 1:
        return False
    defer(connection, tenant, id)
    return True
