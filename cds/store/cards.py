"""The cards that we gave, and what became of each (CDS Hooks 2.0, "Feedback")."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from cds.errors import Unknown
from cds.store.body import Body, from_column, to_column
from cds.store.database import Connection


def put(
    connection: Connection,
    tenant: str,
    *,
    uuid: UUID,
    service: str,
    topic: str,
    body: Body,
    prescreen: UUID | None = None,
) -> None:
    """Keep a card; one with this uuid that is kept already stays as it is."""
    connection.execute(
        "INSERT INTO card (tenant, uuid, prescreen_id, service, topic, body) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (tenant, uuid, prescreen, service, topic, to_column(body)),
    )


def get(connection: Connection, tenant: str, uuid: UUID) -> dict[str, Any] | None:
    found = connection.execute("SELECT body FROM card WHERE tenant = %s AND uuid = %s", (tenant, uuid)).fetchone()
    return from_column(found[0]) if found else None


def feedback(
    connection: Connection,
    tenant: str,
    *,
    service: str,
    card: UUID,
    outcome: str,
    outcome_timestamp: datetime,
    body: Body,
) -> bool:
    """Keep what became of a card; false where the same was told before.

    Raises :class:`Unknown` where ``service`` gave no such card.
    """
    ours = connection.execute(
        "SELECT 1 FROM card WHERE tenant = %s AND uuid = %s AND service = %s", (tenant, card, service)
    )
    if ours.fetchone() is None:
        raise Unknown("no such card was given")
    done = connection.execute(
        "INSERT INTO feedback (tenant, card, outcome, outcome_timestamp, body) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (tenant, card, outcome, outcome_timestamp, to_column(body)),
    )
    return done.rowcount == 1


def feedback_of(connection: Connection, tenant: str, card: UUID) -> list[dict[str, Any]]:
    """Oldest first."""
    found = connection.execute(
        "SELECT body FROM feedback WHERE tenant = %s AND card = %s ORDER BY outcome_timestamp", (tenant, card)
    )
    return [from_column(body) for (body,) in found]
