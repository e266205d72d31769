"""The events of the trail one by one, read as the FHIR resources that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from cds.audit import chain
from cds.store.database import Connection


def get_many(connection: Connection, tenant: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The events that are there, by id. They never change: each has one version."""
    found = connection.execute(
        "SELECT seq, body FROM audit_event WHERE tenant = %s AND id = ANY (%s)", (tenant, list(map(UUID, ids)))
    ).fetchall()
    lines = (connection.sealer.open(chain.place(seq), sealed) for seq, sealed in found)
    return {event["id"]: _served(event) for event in map(chain.event_of, lines)}


def _served(event: Mapping[str, Any]) -> dict[str, Any]:
    return {**event, "meta": event.get("meta", {}) | {"versionId": "1", "lastUpdated": event["recorded"]}}
