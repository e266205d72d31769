"""Deliveries put into the outbox by a test, which then goes by their ids."""

from typing import Any

from cds.store import outbox
from cds.store.database import Connection


def enqueued(connection: Connection, tenant: str, *, idempotency_key: str, **given: Any) -> int:
    """As :func:`cds.store.outbox.enqueue`; returns the id of the delivery that has the key."""
    outbox.enqueue(connection, tenant, idempotency_key=idempotency_key, **given)
    held = connection.execute(
        "SELECT id FROM outbox WHERE tenant = %s AND idempotency_key = %s", (tenant, idempotency_key)
    ).fetchone()
    assert held is not None
    id_: int = held[0]
    return id_
