"""Who may touch what: SMART scopes and the Patient compartment (FHIR R4)."""

from __future__ import annotations

from typing import Any

from cds.errors import Forbidden
from cds.sandbox.access import Interaction
from cds.sandbox.bearer import access
from cds.sandbox.index import Word, rows
from cds.sandbox.parameters import elements
from cds.sandbox.parts import sandbox
from cds.sandbox.query import Match, parse

SHARED = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "Endpoint", "Location", "Device", "Medication"}
)
"""Types of no patient in particular: a ``patient/`` scope lets them be read, not written."""


def require(interaction: Interaction, of_type: str) -> None:
    """:class:`Forbidden` unless a scope covers the interaction on this type."""
    if not access().allows(of_type, interaction):
        raise Forbidden(f"no scope of the token permits {interaction} on {of_type}")


def permit(interaction: Interaction, resource: dict[str, Any]) -> None:
    """:class:`Forbidden` unless a scope covers the interaction on this very resource."""
    of_type = resource["resourceType"]
    require(interaction, of_type)
    patient = access().compartment(of_type, interaction)
    if patient is not None and not _in_reach(resource, patient, interaction):
        raise Forbidden(f"the {of_type} is not in the compartment of the token's patient")


def compartment_matches(of_type: str) -> tuple[Match, ...]:
    """What a search must match besides what it asks for, so that it finds only what may be read."""
    patient = access().compartment(of_type, "search")
    if patient is None or of_type in SHARED:
        return ()
    if of_type == "Binary":
        raise Forbidden("Binary cannot be searched with a patient/ scope")
    return parse(of_type, [("_id" if of_type == "Patient" else "patient", patient)]).matches


def _in_reach(resource: dict[str, Any], patient: str, interaction: Interaction) -> bool:
    of_type = resource["resourceType"]
    if of_type in SHARED:
        return interaction in ("read", "search")
    if of_type == "Patient":
        return bool(resource.get("id") == patient)
    if of_type == "Binary":
        return _binary_in_reach(resource, patient)
    return Word("patient", "", f"Patient/{patient}") in set(rows(resource))


def _binary_in_reach(binary: dict[str, Any], patient: str) -> bool:
    """A Binary is its ``securityContext``'s, or without one that of the patient whose document names it."""
    if contexts := list(elements(binary, "securityContext.reference")):
        return contexts == [f"Patient/{patient}"]
    place = f"Binary/{binary.get('id', '')}"
    locations = f"{place},{sandbox().fhir_base}/{place}"
    query = parse("DocumentReference", [("patient", patient), ("location", locations)])
    return sandbox().records.search(query).total > 0
