"""The context of each hook, as its own page defines it (CDS Hooks, "Hooks": each hook's section "Context")."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cds.ehr.datatypes import ID
from cds.errors import RequestError
from cds.hooks.shape import Json, json_object, matching

_USER = re.compile(rf"(Practitioner|PractitionerRole|Patient|RelatedPerson)/{ID.pattern}")
_SELECTION = re.compile(rf"[A-Z][A-Za-z]{{1,63}}/{ID.pattern}")


@dataclass(frozen=True, slots=True)
class Context:
    """Who is at work on whom, and with which orders; hooks that know of no orders leave those empty."""

    user: str
    """``Practitioner/{id}`` or another of the kinds of user that the hooks name."""
    patient_id: str
    encounter_id: str | None
    draft_orders: tuple[Json, ...] = ()
    selections: tuple[str, ...] = ()
    """``Type/{id}`` of those of :attr:`draft_orders` that were selected just now."""


def order_sign(context: Json) -> Context:
    """order-sign 1.0."""
    return Context(*_who(context), draft_orders=_draft_orders(context.get("draftOrders")))


def order_select(context: Json) -> Context:
    """order-select 1.0: as order-sign, with the orders among them to focus on."""
    drafts = _draft_orders(context.get("draftOrders"))
    return Context(*_who(context), draft_orders=drafts, selections=_selections(context.get("selections"), drafts))


def patient_view(context: Json) -> Context:
    """patient-view 1.0."""
    return Context(*_who(context))


def encounter_start(context: Json) -> Context:
    """encounter-start 1.0, the one hook that must name the encounter."""
    matching(ID, context.get("encounterId"), "context.encounterId")
    return Context(*_who(context))


CONTEXTS: Mapping[str, Callable[[Json], Context]] = {
    "order-sign": order_sign,
    "order-select": order_select,
    "patient-view": patient_view,
    "encounter-start": encounter_start,
}
"""What reads the context of each hook; every one raises :class:`RequestError` naming what is wrong."""


def local_name(order: Mapping[str, Any]) -> str:
    """``Type/{id}``, as ``selections`` name a draft order."""
    return f"{order.get('resourceType')}/{order.get('id')}"


def _who(context: Json) -> tuple[str, str, str | None]:
    """User, patient and encounter."""
    encounter = context.get("encounterId")
    return (
        matching(_USER, context.get("userId"), "context.userId"),
        matching(ID, context.get("patientId"), "context.patientId"),
        None if encounter is None else matching(ID, encounter, "context.encounterId"),
    )


def _draft_orders(value: Any) -> tuple[Json, ...]:
    bundle = json_object(value, "context.draftOrders")
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        raise RequestError("context.draftOrders must be a Bundle")
    resources = [json_object(entry, "a draftOrders entry").get("resource") for entry in entries]
    return tuple(json_object(resource, "a draft order") for resource in resources)


def _selections(value: Any, drafts: tuple[Json, ...]) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise RequestError("context.selections must be a list")
    named = tuple(matching(_SELECTION, selection, "a selection") for selection in value)
    if not {local_name(order) for order in drafts}.issuperset(named):
        raise RequestError("context.selections must name orders of context.draftOrders")
    return named
