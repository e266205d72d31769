"""The cards that we gave, and what became of each (CDS Hooks 2.0, "Feedback")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

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
    """Keep a card, its topic sealed with it; one with this uuid that is kept already stays as it is."""
    connection.execute(
        "INSERT INTO card (tenant, uuid, prescreen_id, service, body) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (tenant, uuid, prescreen, service, to_column(connection, ("card", uuid), {**body, "topic": topic})),
    )


def get(connection: Connection, tenant: str, uuid: UUID) -> dict[str, Any] | None:
    found = connection.execute("SELECT body FROM card WHERE tenant = %s AND uuid = %s", (tenant, uuid)).fetchone()
    return from_column(connection, ("card", uuid), found[0]) if found else None


def was_given(connection: Connection, tenant: str, service: str, card: UUID) -> bool:
    """Whether ``service`` gave it."""
    found = connection.execute(
        "SELECT 1 FROM card WHERE tenant = %s AND uuid = %s AND service = %s", (tenant, card, service)
    )
    return found.fetchone() is not None


def feedback(
    connection: Connection,
    tenant: str,
    *,
    card: UUID,
    outcome: str,
    outcome_timestamp: datetime,
    body: Body,
) -> bool:
    """Keep what became of a card that was given; false where the same was told before."""
    place = ("feedback", card, outcome, outcome_timestamp)
    done = connection.execute(
        "INSERT INTO feedback (tenant, card, outcome, outcome_timestamp, body) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING tenant",
        (tenant, card, outcome, outcome_timestamp, to_column(connection, place, body)),
    )
    return done.fetchone() is not None


def feedback_of(connection: Connection, tenant: str, card: UUID) -> list[dict[str, Any]]:
    """Oldest first."""
    found = connection.execute(
        "SELECT outcome, outcome_timestamp, body FROM feedback WHERE tenant = %s AND card = %s"
        " ORDER BY outcome_timestamp",
        (tenant, card),
    ).fetchall()
    return [from_column(connection, ("feedback", card, outcome, at), body) for outcome, at, body in found]


def outcomes_of_patient(
    connection: Connection, tenant: str, fhir_server: str, patient: str, since: datetime
) -> list[tuple[str, dict[str, Any]]]:
    """Outcome and card of each feedback on the patient's cards since then, oldest first.

    The time is the EHR's, unless that lies ahead of ours.
    """
    found = connection.execute(
        "SELECT feedback.outcome, card.uuid, card.body"
        " FROM prescreen"
        " JOIN card ON card.tenant = prescreen.tenant AND card.prescreen_id = prescreen.id"
        " JOIN feedback ON feedback.tenant = card.tenant AND feedback.card = card.uuid"
        " WHERE prescreen.tenant = %s AND prescreen.patient = %s AND prescreen.fhir_server = %s"
        " AND least(outcome_timestamp, received_at) >= %s"
        " ORDER BY outcome_timestamp, received_at",
        (tenant, connection.sealer.blind(patient), fhir_server, since),
    ).fetchall()
    return [(outcome, from_column(connection, ("card", uuid), body)) for outcome, uuid, body in found]


def outcomes_since(
    connection: Connection, tenant: str, since: datetime
) -> Iterator[tuple[dict[str, Any], str | None, dict[str, Any]]]:
    """Every card given since, its last outcome, ``None`` if none came, and that feedback."""
    found = connection.execute(
        "SELECT card.uuid, card.body, last.outcome, last.outcome_timestamp, last.body FROM card LEFT JOIN LATERAL"
        " (SELECT outcome, outcome_timestamp, body FROM feedback"
        "  WHERE feedback.tenant = card.tenant AND feedback.card = card.uuid"
        "  ORDER BY outcome_timestamp DESC, received_at DESC LIMIT 1) last ON true"
        " WHERE card.tenant = %s AND card.created_at >= %s",
        (tenant, since),
    ).fetchall()
    for uuid, card, outcome, at, told in found:
        feedback = from_column(connection, ("feedback", uuid, outcome, at), told) if told else {}
        yield from_column(connection, ("card", uuid), card), outcome, feedback
