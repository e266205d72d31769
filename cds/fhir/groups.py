"""Groups: the patients of one EHR, whom a bulk export can be about. There is one for each EHR of the tenant."""

from __future__ import annotations

import uuid
from typing import Any

from cds.errors import Forbidden, Unknown
from cds.fhir.access import Access
from cds.registration import Registration, Registrations

Resource = dict[str, Any]


def of(registrations: Registrations, access: Access) -> list[Registration]:
    """The EHRs of the token's tenant; :class:`Forbidden` for a token that is not a system's."""
    if not access.everything_of("Group"):
        raise Forbidden("the token's scopes do not let read Group")
    return list(registrations.by_tenant(access.tenant))


def find(registrations: Registrations, access: Access, id: str) -> Registration:
    for registration in registrations.by_tenant(access.tenant):
        if group_id(registration) == id:
            return registration
    raise Unknown("there is no such Group")


def group_id(registration: Registration) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, registration.issuer))


def resource(registration: Registration) -> Resource:
    return {
        "resourceType": "Group",
        "id": group_id(registration),
        "type": "person",
        "actual": True,
        "name": f"The patients of {registration.issuer}",
    }
