"""Writing the index: one row for each current resource and each AuditEvent, in the transaction that writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds.store.database import Connection
from cds.store.search.dates import Span, span_of
from cds.store.search.parameters import PARAMETERS, Parameter, elements
from cds.store.search.terms import blind, patient_term, term, values


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index keeps of a resource."""

    type: str
    id: str
    patient: int | None
    last_updated: datetime
    date: Span
    issued: datetime | None
    terms: list[int]
    selective: list[int]


def entry(resource: Mapping[str, Any], last_updated: datetime, patient: str | None) -> Entry:
    """``patient`` is the reference by which the patient is known here."""
    type = resource["resourceType"]
    terms: dict[int, bool] = {}
    for name, parameter in PARAMETERS[type].items():
        if parameter.kind != "date":
            for value in values(resource, parameter):
                terms[term(type, name, value)] = parameter.selective and not _common(value, parameter)
    return Entry(
        type=type,
        id=resource["id"],
        patient=patient_term(patient) if patient else None,
        last_updated=last_updated,
        date=_span(resource, "date") or (None, None),
        issued=(_span(resource, "issued") or (None, None))[0],
        terms=list(terms),
        selective=[word for word, selective in terms.items() if selective],
    )


def add(connection: Connection, tenant: str, entries: Sequence[Entry]) -> None:
    """Index resources that are not in the index yet."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "WITH added AS (INSERT INTO search_row"
            " (tenant, type, id, patient, last_updated, date_low, date_high, issued, terms)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::bigint[]) RETURNING tenant, last_updated, number)"
            " INSERT INTO search_term (tenant, term, last_updated, number)"
            " SELECT tenant, term, last_updated, number FROM added, unnest(%s::bigint[]) AS term",
            [_row(connection, tenant, entry) for entry in entries],
        )


def remove(connection: Connection, tenant: str, type: str, id: str) -> None:
    """Take a resource out of the index."""
    connection.execute(
        "WITH gone AS (DELETE FROM search_row WHERE tenant = %s AND type = %s AND id = %s"
        " RETURNING tenant, last_updated, number, terms)"
        " DELETE FROM search_term USING gone WHERE search_term.tenant = gone.tenant"
        " AND search_term.term = ANY (gone.terms) AND search_term.last_updated = gone.last_updated"
        " AND search_term.number = gone.number",
        (tenant, type, id),
    )


def sweep(connection: Connection, tenant: str) -> None:
    """Take out what was removed from the tables that the index is of."""
    connection.execute(
        "DELETE FROM search_row s WHERE tenant = %s AND type <> 'AuditEvent' AND NOT EXISTS"
        " (SELECT FROM resource r WHERE (r.tenant, r.type, r.id) = (s.tenant, s.type, s.id))",
        (tenant,),
    )
    connection.execute(
        "DELETE FROM search_row s WHERE tenant = %s AND type = 'AuditEvent' AND NOT EXISTS"
        " (SELECT FROM audit_event e WHERE e.tenant = s.tenant AND e.id::text = s.id)",
        (tenant,),
    )
    connection.execute(
        "DELETE FROM search_term t WHERE tenant = %s AND NOT EXISTS"
        " (SELECT FROM search_row r WHERE r.tenant = t.tenant AND r.number = t.number)",
        (tenant,),
    )


def _row(connection: Connection, tenant: str, entry: Entry) -> tuple[object, ...]:
    """The entry's values as they are stored, its terms under the tenant's key."""
    keyed = dict(zip(entry.terms, blind(connection, entry.terms), strict=True))
    patient = None if entry.patient is None else blind(connection, [entry.patient])[0]
    selective = [keyed[term] for term in entry.selective]
    return (
        tenant,
        entry.type,
        entry.id,
        patient,
        entry.last_updated,
        *entry.date,
        entry.issued,
        _array(keyed.values()),
        _array(selective),
    )


def _array(numbers: Iterable[int]) -> str:
    """A ``bigint[]`` as PostgreSQL reads it: the driver would look into each number whether it needs quotes."""
    return f"{{{','.join(map(str, numbers))}}}"


def _common(value: str, parameter: Parameter) -> bool:
    """``rest``, ``system|rest`` and ``system|`` alike."""
    return bool(parameter.common) and (value.endswith("|") or value.rpartition("|")[2] in parameter.common)


def _span(resource: Mapping[str, Any], column: str) -> Span | None:
    for parameter in PARAMETERS[resource["resourceType"]].values():
        if parameter.kind == "date" and parameter.column == column:
            for path in parameter.paths:
                for element in elements(resource, path):
                    return span_of(element)
    return None
