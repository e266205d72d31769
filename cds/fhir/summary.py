"""Parts of resources: ``_summary`` and ``_elements`` (FHIR R4 §3.1.1.5.8 and §3.1.1.5.9).

The elements are those that the StructureDefinitions of R4 mark as summary, or as mandatory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Resource = dict[str, Any]

ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})

MANDATORY: Mapping[str, frozenset[str]] = {
    "AuditEvent": frozenset({"type", "recorded", "agent", "source"}),
    "Device": frozenset(),
    "DiagnosticReport": frozenset({"status", "code"}),
    "DocumentReference": frozenset({"status", "content"}),
    "Observation": frozenset({"status", "code"}),
    "Provenance": frozenset({"target", "recorded", "agent"}),
    "Task": frozenset({"status", "intent"}),
}

SUMMARY: Mapping[str, frozenset[str]] = {
    type: frozenset(elements.split())
    for type, elements in {
        "AuditEvent": "type subtype action recorded outcome outcomeDesc purposeOfEvent",
        "Device": "udiCarrier status safety",
        "DiagnosticReport": "identifier status category code subject encounter effective issued performer"
        " resultsInterpreter media",
        "DocumentReference": "masterIdentifier identifier status docStatus type category subject date author"
        " relatesTo description securityLabel content context",
        "Observation": "identifier basedOn partOf status code subject focus encounter effective issued performer"
        " value hasMember derivedFrom component",
        "Provenance": "target recorded",
        "Task": "instantiatesCanonical instantiatesUri basedOn groupIdentifier partOf status statusReason"
        " businessStatus intent code description focus for encounter executionPeriod lastModified requester owner"
        " location",
    }.items()
}

_CHOICES = ("effective", "value")
_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}


def reduced(resource: Resource, summary: str, elements: Collection[str]) -> Resource:
    """``resource`` as ``_summary`` and ``_elements`` ask for it, tagged SUBSETTED where it may lack something."""
    type = resource["resourceType"]
    if elements:
        return _only(resource, MANDATORY[type] | set(elements))
    if summary == "true":
        return _only(resource, MANDATORY[type] | SUMMARY[type])
    if summary == "text":
        return _only(resource, MANDATORY[type] | {"text"})
    if summary == "data":
        return _tagged({name: value for name, value in resource.items() if name != "text"})
    return resource


def _only(resource: Resource, wanted: Collection[str]) -> Resource:
    return _tagged({name: v for name, v in resource.items() if name in ALWAYS or _element(name) in wanted})


def _element(name: str) -> str:
    """The element that a property is of: ``_conclusion`` of conclusion, ``effectiveDateTime`` of effective."""
    name = name.removeprefix("_")
    return next((choice for choice in _CHOICES if name.startswith(choice)), name)


def _tagged(resource: Resource) -> Resource:
    meta = resource.get("meta", {})
    return {**resource, "meta": meta | {"tag": [*meta.get("tag", ()), _SUBSETTED]}}
