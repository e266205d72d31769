"""The FHIR resources that we author, with every version that there was (FHIR R4, "Resource Version History")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cds.errors import PreconditionFailed
from cds.store.body import Body, from_column, to_column
from cds.store.database import Connection


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
    written = connection.execute(
        "INSERT INTO resource AS held (tenant, type, id, version, patient, fhir_server, body, last_updated)"
        " VALUES (%s, %s, %s, 1, %s, %s, %s, now())"
        " ON CONFLICT (tenant, type, id) DO UPDATE SET version = held.version + 1, patient = EXCLUDED.patient,"
        " fhir_server = EXCLUDED.fhir_server, body = EXCLUDED.body, last_updated = EXCLUDED.last_updated"
        " RETURNING version, last_updated",
        (tenant, kind, id, patient, fhir_server, to_column(resource)),
    ).fetchone()
    assert written is not None
    version, last_updated = written
    if if_match is not None and if_match != version - 1:
        raise PreconditionFailed("the resource has another version")
    connection.execute(
        "INSERT INTO resource_version (tenant, type, id, version, body, last_updated)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (tenant, kind, id, version, to_column(resource), last_updated),
    )
    return _with_meta(dict(resource), version, last_updated)


def get(connection: Connection, tenant: str, type: str, id: str) -> dict[str, Any] | None:
    """The current version."""
    found = connection.execute(
        "SELECT body, version, last_updated FROM resource WHERE tenant = %s AND type = %s AND id = %s",
        (tenant, type, id),
    ).fetchone()
    return _with_meta(from_column(found[0]), *found[1:]) if found else None


def get_version(connection: Connection, tenant: str, type: str, id: str, version: int) -> dict[str, Any] | None:
    """One version (vread)."""
    found = connection.execute(
        "SELECT body, version, last_updated FROM resource_version"
        " WHERE tenant = %s AND type = %s AND id = %s AND version = %s",
        (tenant, type, id, version),
    ).fetchone()
    return _with_meta(from_column(found[0]), *found[1:]) if found else None


def history(connection: Connection, tenant: str, type: str, id: str) -> list[dict[str, Any]]:
    """Every version, the latest first."""
    found = connection.execute(
        "SELECT body, version, last_updated FROM resource_version"
        " WHERE tenant = %s AND type = %s AND id = %s ORDER BY version DESC",
        (tenant, type, id),
    )
    return [_with_meta(from_column(body), *rest) for body, *rest in found]


def _with_meta(body: dict[str, Any], version: int, last_updated: datetime) -> dict[str, Any]:
    instant = last_updated.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return body | {"meta": body.get("meta", {}) | {"versionId": str(version), "lastUpdated": instant}}
