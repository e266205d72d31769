"""Indexes what was written before there was an index (0003): the step of the migration before 0008.

A batch to a transaction, while a service runs that indexes what it writes itself. What was cut short goes on with
the next call: what stands in the index is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from cds.errors import IntegrityError
from cds.store import resources
from cds.store.body import from_column
from cds.store.database import Connection, Database
from cds.store.sealed_tables import AUDIT_EVENT, RESOURCE
from cds.store.search import index
from cds.store.search.index import Entry
from cds.store.search.parameters import PARAMETERS
from cds.store.search.subject import entry as event_entry

BATCH = 500
OURS = PARAMETERS.keys() - {"DocumentReference"}
"""The types of which a relative reference is to a resource of ours; notes are the EHR's DocumentReferences."""


def index_all(owner: Database) -> None:
    """As the owner of the tables, for every tenant."""
    for tenant in owner.tenants():
        last: Sequence[str] | None = ("", "")
        while last is not None:
            with owner.transaction(tenant) as connection:
                last = _index_resources(connection, tenant, last)
        with owner.transaction(tenant) as connection:
            head = connection.execute("SELECT coalesce(max(seq), 0) FROM audit_event").fetchone() or (0,)
        for after in range(0, head[0], BATCH):
            with owner.transaction(tenant) as connection:
                _index_events(connection, tenant, after)


def _index_resources(connection: Connection, tenant: str, after: Sequence[str]) -> Sequence[str] | None:
    """Index those of the next batch that are not; the last of the batch, if there is any."""
    batch = connection.execute(
        "SELECT type, id FROM resource WHERE tenant = %s AND (type, id) > (%s, %s) ORDER BY type, id LIMIT %s",
        (tenant, *after, BATCH),
    ).fetchall()
    lacking = _not_indexed(connection, tenant, batch)
    if lacking:
        # Whoever writes one of these waits now; what was written up to here is seen by the second look.
        types, ids = map(list, zip(*lacking, strict=True))
        rows = connection.execute(
            "SELECT type, id, body, last_updated, patient, fhir_server FROM resource"
            " WHERE tenant = %s AND (type, id) IN (SELECT * FROM unnest(%s::text[], %s::text[])) FOR UPDATE",
            (tenant, types, ids),
        ).fetchall()
        still = set(_not_indexed(connection, tenant, lacking))
        index.add(connection, tenant, [_entry(connection, tenant, *row) for row in rows if row[:2] in still])
    return batch[-1] if batch else None


def _not_indexed(connection: Connection, tenant: str, keys: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    if not keys:
        return []
    types, ids = map(list, zip(*keys, strict=True))
    return connection.execute(
        "SELECT type, id FROM unnest(%s::text[], %s::text[]) AS held (type, id) WHERE type = ANY (%s)"
        " AND NOT EXISTS (SELECT FROM search_row s WHERE (s.tenant, s.type, s.id) = (%s, held.type, held.id))",
        (types, ids, list(PARAMETERS), tenant),
    ).fetchall()


def _entry(
    connection: Connection,
    tenant: str,
    type: str,
    id: str,
    body: bytes,
    last_updated: Any,
    whose: bytes | None,
    fhir_server: str | None,
) -> Entry:
    resource = from_column(connection, RESOURCE.place((type, id)), body)
    patient = None if whose is None else _patient(connection, tenant, resource)
    known_as = f"{fhir_server}/{patient}" if patient and connection.sealer.blind(patient) == whose else None
    return index.entry(_located(resource, fhir_server), last_updated, known_as)


def _patient(connection: Connection, tenant: str, resource: Mapping[str, Any]) -> str | None:
    """``Patient/{id}``; a Provenance does not say of whom it is, and its report does."""
    for target in resource.get("target", ()):
        report = resources.get(connection, tenant, *target["reference"].split("/", 1))
        if report:
            return _patient(connection, tenant, report)
    reference = resource.get("subject", resource.get("for", {})).get("reference", "")
    return "/".join(reference.rsplit("/", 2)[-2:]) or None


def _located(value: Any, fhir_server: str | None) -> Any:
    """With the EHR's resources named by their URLs, as they are since there is an index."""
    if isinstance(value, dict):
        return {
            name: _absolute(inner, fhir_server)
            if name == "reference" and isinstance(inner, str)
            else _located(inner, fhir_server)
            for name, inner in value.items()
        }
    return [_located(inner, fhir_server) for inner in value] if isinstance(value, list) else value


def _absolute(reference: str, fhir_server: str | None) -> str:
    theirs = "://" not in reference and reference[:1] != "#" and reference.partition("/")[0] not in OURS
    return f"{fhir_server}/{reference}" if theirs and fhir_server else reference


def _index_events(connection: Connection, tenant: str, after: int) -> None:
    """An event never changes, and whoever appends one indexes it in the same transaction."""
    rows = connection.execute(
        "SELECT seq, body FROM audit_event e WHERE tenant = %s AND seq > %s AND seq <= %s AND NOT EXISTS"
        " (SELECT FROM search_row s WHERE (s.tenant, s.type, s.id) = (e.tenant, 'AuditEvent', e.id::text))",
        (tenant, after, after + BATCH),
    ).fetchall()
    index.add(connection, tenant, [entry for row in rows if (entry := _of_event(connection, *row))])


def _of_event(connection: Connection, seq: int, sealed: bytes) -> Entry | None:
    """None for one that was tampered with: to say so is for the one who verifies the chain."""
    with suppress(IntegrityError, ValueError, KeyError):
        line = connection.sealer.open(AUDIT_EVENT.place((seq,)), sealed)
        return event_entry(json.loads(line[line.index(b"{") :]))
    return None
