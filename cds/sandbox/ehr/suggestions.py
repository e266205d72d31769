"""CDS Hooks 2.0, "Action": what a suggestion does to the orders that are being written."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from cds.errors import RequestError

Json = dict[str, Any]

ORDERS = frozenset({"MedicationRequest", "NutritionOrder", "ServiceRequest", "VisionPrescription"})
"""What ``order-sign`` is about in FHIR R4: a suggestion may add these to the desk, and nothing else."""


def apply(orders: Iterable[Json], actions: Iterable[Mapping[str, Any]]) -> list[Json]:
    """The draft orders after ``actions``, all of them or (:class:`RequestError`) none."""
    drafts = list(orders)
    for action in actions:
        drafts = _applied(drafts, action)
    return drafts


def _applied(drafts: list[Json], action: Mapping[str, Any]) -> list[Json]:
    match action:
        case {"type": "create", "resource": {"resourceType": str(of_type)} as resource} if of_type in ORDERS:
            return [*drafts, {**resource, "id": resource.get("id") or f"draft-{uuid.uuid4()}"}]
        case {"type": "update", "resource": {"resourceType": str(of_type), "id": str(id)} as resource}:
            place = _place(drafts, f"{of_type}/{id}")
            return [*drafts[:place], dict(resource), *drafts[place + 1 :]]
        case {"type": "delete", "resourceId": str(reference)}:
            place = _place(drafts, reference)
            return [*drafts[:place], *drafts[place + 1 :]]
    raise RequestError("the suggestion has an action that cannot be carried out on orders")


def _place(drafts: list[Json], reference: str) -> int:
    for place, draft in enumerate(drafts):
        if reference in (f"{draft['resourceType']}/{draft.get('id')}", draft.get("id")):
            return place
    raise RequestError("the suggestion is about an order that is not being written")
