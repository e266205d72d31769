"""The FHIR resources that we author, with every version that there was (FHIR R4, "Resource Version History")."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cds.errors import PreconditionFailed
from cds.store.body import Body, from_column, to_column
from cds.store.database import Connection
from cds.store.sealing import Place
from cds.store.search import index


def put(
    connection: Connection,
    tenant: str,
    resource: Body,
    *,
    patient: str | None = None,
    fhir_server: str | None = None,
    if_match: int | None = None,
) -> dict[str, Any]:
    """Write the next version of ``resource`` and return it with ``meta.versionId`` and ``meta.lastUpdated``.

    ``patient`` and ``fhir_server`` say whose it is. With ``if_match`` the version must be the current one, else
    :class:`PreconditionFailed`.
    """
    kind, id = resource["resourceType"], resource["id"]
    whose = None if patient is None else connection.sealer.blind(patient)
    written = connection.execute(
        "INSERT INTO resource AS held (tenant, type, id, version, patient, fhir_server, body, last_updated)"
        " VALUES (%s, %s, %s, 1, %s, %s, %s, now())"
        " ON CONFLICT (tenant, type, id) DO UPDATE SET version = held.version + 1, patient = EXCLUDED.patient,"
        " fhir_server = EXCLUDED.fhir_server, body = EXCLUDED.body, last_updated = EXCLUDED.last_updated"
        " RETURNING version, last_updated",
        (tenant, kind, id, whose, fhir_server, to_column(connection, ("resource", kind, id), resource)),
    ).fetchone()
    assert written is not None
    version, last_updated = written
    if if_match is not None and if_match != version - 1:
        raise PreconditionFailed("the resource has another version")
    if version > 1:
        index.remove(connection, tenant, kind, id)
    return _kept(connection, tenant, resource, version, last_updated, patient, fhir_server)


def put_new(connection: Connection, tenant: str, resource: Body) -> bool:
    """Write ``resource``, which is nobody's, unless there is one of this id; false where there is."""
    kind, id = resource["resourceType"], resource["id"]
    written = connection.execute(
        "INSERT INTO resource (tenant, type, id, version, body, last_updated) VALUES (%s, %s, %s, 1, %s, now())"
        " ON CONFLICT DO NOTHING RETURNING version, last_updated",
        (tenant, kind, id, to_column(connection, ("resource", kind, id), resource)),
    ).fetchone()
    if written is None:
        return False
    version, last_updated = written
    _kept(connection, tenant, resource, version, last_updated, None, None)
    return True


def put_all_new(
    connection: Connection, tenant: str, resources: Sequence[Body], *, patient: str, fhir_server: str
) -> None:
    """Write resources of one patient, none of which is there yet: a few ways to the database for them all."""
    (now,) = connection.execute("SELECT now()").fetchone() or (None,)
    whose = connection.sealer.blind(patient)
    keys = [(resource["resourceType"], resource["id"]) for resource in resources]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO resource (tenant, type, id, version, patient, fhir_server, body, last_updated)"
            " VALUES (%s, %s, %s, 1, %s, %s, %s, %s)",
            [
                (tenant, *key, whose, fhir_server, to_column(connection, ("resource", *key), resource), now)
                for key, resource in zip(keys, resources, strict=True)
            ],
        )
        cursor.executemany(
            "INSERT INTO resource_version (tenant, type, id, version, body, last_updated)"
            " VALUES (%s, %s, %s, 1, %s, %s)",
            [
                (tenant, *key, to_column(connection, _place(*key, 1), resource), now)
                for key, resource in zip(keys, resources, strict=True)
            ],
        )
    known_as = f"{fhir_server}/{patient}"
    index.add(connection, tenant, [index.entry(resource, now, known_as) for resource in resources])


def get(connection: Connection, tenant: str, type: str, id: str) -> dict[str, Any] | None:
    """The current version."""
    found = connection.execute(
        "SELECT body, version, last_updated FROM resource WHERE tenant = %s AND type = %s AND id = %s",
        (tenant, type, id),
    ).fetchone()
    return _with_meta(from_column(connection, ("resource", type, id), found[0]), *found[1:]) if found else None


def get_many(connection: Connection, tenant: str, type: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The current versions of those that are there, by id."""
    found = connection.execute(
        "SELECT id, body, version, last_updated FROM resource WHERE tenant = %s AND type = %s AND id = ANY (%s)",
        (tenant, type, list(ids)),
    )
    return {
        id: _with_meta(from_column(connection, ("resource", type, id), body), *rest) for id, body, *rest in found
    }


def get_version(connection: Connection, tenant: str, type: str, id: str, version: int) -> dict[str, Any] | None:
    """One version (vread)."""
    found = connection.execute(
        "SELECT body, version, last_updated FROM resource_version"
        " WHERE tenant = %s AND type = %s AND id = %s AND version = %s",
        (tenant, type, id, version),
    ).fetchone()
    place = _place(type, id, version)
    return _with_meta(from_column(connection, place, found[0]), *found[1:]) if found else None


def get_versions(
    connection: Connection, tenant: str, type: str, ids: Sequence[str], versions: Sequence[int]
) -> list[dict[str, Any]]:
    """The versions that are there, in the order asked for; ``ids`` and ``versions`` go in pairs."""
    found = connection.execute(
        "SELECT v.id, body, v.version, last_updated FROM unnest(%s::text[], %s::int[]) WITH ORDINALITY"
        " AS asked (id, version, place) JOIN resource_version v ON v.tenant = %s AND v.type = %s"
        " AND v.id = asked.id AND v.version = asked.version ORDER BY asked.place",
        (list(ids), list(versions), tenant, type),
    )
    return [
        _with_meta(from_column(connection, _place(type, id, version), body), version, last_updated)
        for id, body, version, last_updated in found
    ]


def history(connection: Connection, tenant: str, type: str, id: str) -> list[dict[str, Any]]:
    """Every version, the latest first."""
    found = connection.execute(
        "SELECT body, version, last_updated FROM resource_version"
        " WHERE tenant = %s AND type = %s AND id = %s ORDER BY version DESC",
        (tenant, type, id),
    ).fetchall()
    return [
        _with_meta(from_column(connection, _place(type, id, version), body), version, last_updated)
        for body, version, last_updated in found
    ]


def _place(type: str, id: str, version: int) -> Place:
    return ("resource_version", type, id, version)


def _kept(
    connection: Connection,
    tenant: str,
    resource: Body,
    version: int,
    last_updated: datetime,
    patient: str | None,
    fhir_server: str | None,
) -> dict[str, Any]:
    """Add a version that has become the current one to the history and to the index."""
    kind, id = resource["resourceType"], resource["id"]
    connection.execute(
        "INSERT INTO resource_version (tenant, type, id, version, body, last_updated)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (tenant, kind, id, version, to_column(connection, _place(kind, id, version), resource), last_updated),
    )
    known_as = f"{fhir_server}/{patient}" if patient and fhir_server else patient
    index.add(connection, tenant, [index.entry(resource, last_updated, known_as)])
    return _with_meta(dict(resource), version, last_updated)


def _with_meta(body: dict[str, Any], version: int, last_updated: datetime) -> dict[str, Any]:
    instant = last_updated.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return body | {"meta": body.get("meta", {}) | {"versionId": str(version), "lastUpdated": instant}}
