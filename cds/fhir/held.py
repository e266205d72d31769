"""What we hold, whichever table it lies in: resources with versions, and AuditEvents, which have one each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cds.audit import events
from cds.ehr.datatypes import ID
from cds.errors import Unknown
from cds.store import resources
from cds.store.database import Connection
from cds.store.search import subject
from cds.store.search.parameters import PARAMETERS
from cds.store.search.terms import patient_term

Resource = dict[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_type(type: str) -> None:
    if type not in PARAMETERS:
        raise Unknown("no resources of this type are served here; see metadata")


def check_name(type: str, id: str) -> None:
    """Raise :class:`Unknown` for what can be the name of nothing here."""
    check_type(type)
    if not ID.fullmatch(id):
        raise Unknown(f"there is no such {type}")


def many(connection: Connection, tenant: str, type: str, ids: Sequence[str]) -> dict[str, Resource]:
    """The current versions of those that are there, by id."""
    if type == "AuditEvent":
        return events.get_many(connection, tenant, [id for id in ids if _UUID.fullmatch(id)])
    return resources.get_many(connection, tenant, type, ids)


def one(connection: Connection, tenant: str, type: str, id: str) -> Resource:
    """The current version; raises :class:`Unknown`."""
    found = many(connection, tenant, type, [id]).get(id)
    if found is None:
        raise Unknown(f"there is no such {type}")
    return found


def version(connection: Connection, tenant: str, type: str, id: str, version: str) -> Resource:
    """One version; raises :class:`Unknown`."""
    if type == "AuditEvent" and version == "1":
        return one(connection, tenant, type, id)
    number = int(version) if re.fullmatch(r"[1-9]\d{0,8}", version) else 0
    found = resources.get_version(connection, tenant, type, id, number)
    if found is None:
        raise Unknown(f"there is no such version of this {type}")
    return found


def history(connection: Connection, tenant: str, type: str, id: str) -> list[Resource]:
    """Every version, the latest first; raises :class:`Unknown`."""
    if type == "AuditEvent":
        return [one(connection, tenant, type, id)]
    found = resources.history(connection, tenant, type, id)
    if not found:
        raise Unknown(f"there is no such {type}")
    return found


def patient_of(connection: Connection, tenant: str, resource: Resource) -> str | None:
    """The reference to the patient whom the resource is about."""
    if resource["resourceType"] == "AuditEvent":
        return subject.patient_of(resource)
    if resource["resourceType"] == "Provenance":
        return _patient_of_target(connection, tenant, resource)
    if resource["resourceType"] == "DocumentReference":
        return None
    about = resource.get("subject") or resource.get("for") or {}
    reference: str | None = about.get("reference")
    return reference


def compartment(patient: str) -> int:
    """The term of the compartment in which what is about ``patient`` lies."""
    return patient_term(patient)


def _patient_of_target(connection: Connection, tenant: str, provenance: Resource) -> str | None:
    for target in provenance["target"]:
        type, _, id = target.get("reference", "").partition("/")
        if type in ("DiagnosticReport", "Observation"):
            found = resources.get(connection, tenant, type, id)
            return patient_of(connection, tenant, found) if found else None
    return None
