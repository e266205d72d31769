"""Bulk export (FHIR Bulk Data Access 2.0): kick-off, status, files, delete. The worker makes the list of files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cds.audit import events
from cds.errors import Forbidden, RequestError, TooManyRequests, Unknown
from cds.fhir.access import Access
from cds.registration import Registration
from cds.store import exports, resources
from cds.store.database import Connection
from cds.store.exports import Export
from cds.store.search.dates import span

EXPORTED = ("DiagnosticReport", "AuditEvent")
MAX_UNDER_WAY = 5
NDJSON = "application/fhir+ndjson"
_FORMATS = (NDJSON, "application/ndjson", "ndjson")
_KNOWN = frozenset({"_type", "_since", "_outputFormat"})

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A kick-off request, understood."""

    types: tuple[str, ...]
    since: datetime | None


def parse(parameters: Mapping[str, str], access: Access, *, strict: bool) -> Asked:
    """Raises :class:`RequestError`, or :class:`Forbidden` for types that the token does not open as a whole."""
    if strict and (unknown := set(parameters) - _KNOWN):
        raise RequestError(f"$export does not know {len(unknown)} of the parameters")
    if parameters.get("_outputFormat", NDJSON) not in _FORMATS:
        raise RequestError(f"_outputFormat can be {NDJSON}")
    return Asked(_types(parameters.get("_type"), access), _since(parameters.get("_since")))


def start(
    connection: Connection, access: Access, asked: Asked, request: str, group: Registration | None = None
) -> UUID:
    """Keep the export and its job. ``group``: the patients of that EHR alone."""
    if group and "AuditEvent" in asked.types and not access.sole_server:
        raise RequestError("where several EHRs share a tenant, AuditEvents are not told apart by group")
    if exports.under_way(connection, access.tenant, access.owner) >= MAX_UNDER_WAY:
        raise TooManyRequests(f"{MAX_UNDER_WAY} exports of this client are under way", retry_after_s=60)
    id = uuid.uuid4()
    exports.create(
        connection,
        access.tenant,
        id=id,
        owner=access.owner,
        request=request,
        types=asked.types,
        fhir_server=group.fhir_servers[0] if group else None,
        since=asked.since,
    )
    return id


def get(connection: Connection, access: Access, id: str) -> Export:
    """The client's own export; raises :class:`Unknown` for any other, and for one that has expired."""
    try:
        found = exports.get(connection, access.tenant, UUID(id), access.owner)
    except ValueError:
        found = None
    if found is None:
        raise Unknown("there is no such export, or it has expired")
    return found


def forget(connection: Connection, access: Access, id: str) -> None:
    """Delete the export, made or not (FHIR Bulk Data Access 2.0, "Delete Request")."""
    exports.delete(connection, access.tenant, get(connection, access, id).id)


def manifest(connection: Connection, access: Access, export: Export, base: str) -> Resource:
    """What a finished export is made of."""
    return {
        "transactionTime": export.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": export.request,
        "requiresAccessToken": True,
        "output": [
            {"type": file.type, "url": f"{base}/export/{export.id}/{file.number}", "count": file.resources}
            for file in exports.files(connection, access.tenant, export.id)
        ],
        "error": [],
    }


def content(connection: Connection, access: Access, export: Export, number: int) -> bytes:
    """A file of a finished export as NDJSON; its types must still be open to the token."""
    members = exports.members(connection, access.tenant, export.id, number)
    if members is None:
        raise Unknown("the export has no such file")
    _types(members.type, access)
    if members.type == "AuditEvent":
        held = events.get_many(connection, access.tenant, members.ids)
        return _ndjson(held[id] for id in members.ids if id in held)
    return _ndjson(resources.get_versions(connection, access.tenant, members.type, members.ids, members.versions))


def _types(asked: str | None, access: Access) -> tuple[str, ...]:
    open_to = tuple(type for type in EXPORTED if access.everything_of(type))
    types = tuple(asked.split(",")) if asked else open_to
    if unknown := set(types) - set(EXPORTED):
        raise RequestError(f"{len(unknown)} of the types cannot be exported; {' and '.join(EXPORTED)} can")
    if not types or not set(types) <= set(open_to):
        raise Forbidden("an export needs the scope system/{type}.rs of each type")
    return types


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    asked = span(text)
    if asked is None:
        raise RequestError("_since must be an instant such as 2026-05-01T12:00:00Z")
    return asked[0]


def _ndjson(lines: Iterable[Resource]) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)
