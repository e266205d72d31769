"""``cds patient``: all that is kept of one patient, given out or removed.

The audit trail is given out too, and it stays: that it is whole is what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any
from uuid import UUID

import orjson

from cds.audit import balp, chain
from cds.audit.balp import Exchange, Party
from cds.store import cards, prescreens, resources, reviews, scores
from cds.store.database import Connection
from cds.store.search import index

EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class Whose:
    """One patient, as one EHR knows them."""

    tenant: str
    fhir_server: str
    patient: str
    """``Patient/{id}``."""


def export(connection: Connection, whose: Whose, us: Party, file: IO[bytes]) -> dict[str, int]:
    """Write a line of JSON for each thing that is kept, with its ``kind``; how many of each there were."""
    counts: dict[str, int] = {}
    for kind, held in _held(connection, whose):
        file.write(orjson.dumps({"kind": kind, "content": held}) + b"\n")
        counts[kind] = counts.get(kind, 0) + 1
    _audited(connection, whose, us, "patient-export", counts)
    return counts


def delete(connection: Connection, whose: Whose, us: Party) -> dict[str, int]:
    """Remove all but the audit trail, as the owner; how many rows of each kind.

    What is on its way to the EHR is not sent any more. Scores do not say whose they are: every score of the tenant
    is forgotten, and computed again when it is next asked for.
    """
    ids = [UUID(body["id"]) for body in _prescreens(connection, whose)]
    of_patient = (whose.tenant, connection.sealer.blind(whose.patient), whose.fhir_server)
    in_resources = "SELECT type, id FROM resource WHERE tenant = %s AND patient = %s AND fhir_server = %s"
    of_cards = "SELECT uuid FROM card WHERE tenant = %s AND prescreen_id = ANY (%s)"
    for type, id in connection.execute(in_resources, of_patient).fetchall():
        index.remove(connection, whose.tenant, type, id)
    removed = {
        "feedback": connection.execute(
            f"DELETE FROM feedback WHERE tenant = %s AND card IN ({of_cards})",  # noqa: S608 - a constant
            (whose.tenant, whose.tenant, ids),
        ).rowcount,
        "card": connection.execute(
            "DELETE FROM card WHERE tenant = %s AND prescreen_id = ANY (%s)", (whose.tenant, ids)
        ).rowcount,
        "review": connection.execute(
            "DELETE FROM review WHERE tenant = %s AND prescreen_id = ANY (%s)", (whose.tenant, ids)
        ).rowcount,
        "prescreen": connection.execute(
            "DELETE FROM prescreen WHERE tenant = %s AND patient = %s AND fhir_server = %s", of_patient
        ).rowcount,
        "version": connection.execute(
            f"DELETE FROM resource_version WHERE tenant = %s AND (type, id) IN ({in_resources})",  # noqa: S608
            (whose.tenant, *of_patient),
        ).rowcount,
        "resource": connection.execute(
            "DELETE FROM resource WHERE tenant = %s AND patient = %s AND fhir_server = %s", of_patient
        ).rowcount,
        "delivery": connection.execute(
            "DELETE FROM outbox WHERE tenant = %s AND split_part(idempotency_key, '/', 1) = ANY (%s)",
            (whose.tenant, list(map(str, ids))),
        ).rowcount,
    }
    scores.forget(connection, whose.tenant)
    _audited(connection, whose, us, "patient-delete", removed)
    return removed


def _held(connection: Connection, whose: Whose) -> Iterator[tuple[str, dict[str, Any]]]:
    for body in _prescreens(connection, whose):
        yield "prescreen", body
        acts = reviews.of_prescreen(connection, whose.tenant, UUID(body["id"]))
        yield from (("review", said.body) for said in acts)
        for uuid in _cards(connection, whose.tenant, UUID(body["id"])):
            yield "card", cards.get(connection, whose.tenant, uuid) or {}
            yield from (("feedback", told) for told in cards.feedback_of(connection, whose.tenant, uuid))
    found = connection.execute(
        "SELECT type, id FROM resource WHERE tenant = %s AND patient = %s AND fhir_server = %s ORDER BY type, id",
        (whose.tenant, connection.sealer.blind(whose.patient), whose.fhir_server),
    ).fetchall()
    for type, id in found:
        yield from (("resource", version) for version in resources.history(connection, whose.tenant, type, id))
    for row in chain.rows(connection, whose.tenant):
        if row.line and whose.patient.encode() in row.line:
            event = chain.event_of(row.line)
            if whose.patient in _named(event):
                yield "audit", event


def _prescreens(connection: Connection, whose: Whose) -> list[dict[str, Any]]:
    return prescreens.of_patient(connection, whose.tenant, whose.fhir_server, whose.patient, EVERYTHING)


def _cards(connection: Connection, tenant: str, prescreen: UUID) -> list[UUID]:
    found = connection.execute(
        "SELECT uuid FROM card WHERE tenant = %s AND prescreen_id = %s ORDER BY created_at", (tenant, prescreen)
    )
    return [uuid for (uuid,) in found.fetchall()]


def _named(event: dict[str, Any]) -> set[str]:
    """Whom an event is about: ``Patient/{id}``, whichever server's."""
    references = (entity.get("what", {}).get("reference", "") for entity in event.get("entity", ()))
    return {"/".join(reference.split("/")[-2:]) for reference in references}


def _audited(connection: Connection, whose: Whose, us: Party, name: str, counts: dict[str, int]) -> None:
    event = balp.maintenance(Exchange(us, us, us), name, counts, whose.patient)
    chain.append(connection, whose.tenant, event)
