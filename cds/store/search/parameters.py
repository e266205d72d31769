"""The search parameters that we serve, by type (FHIR R4, "Search Parameter Registry").

``patient`` is no entry of its own: every type of :data:`OF_PATIENTS` is in a patient's compartment, which the
index keeps beside the terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["token", "reference", "string", "uri", "date"]
DateColumn = Literal["date", "issued", "last_updated"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a parameter looks at."""

    kind: Kind
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()
    """A reference: the types that it may point to."""
    selective: bool = False
    """Whether few resources share a value, so that a search may begin with it."""
    common: frozenset[str] = frozenset()
    """Values of a selective parameter that are not: nearly all resources have them."""
    column: DateColumn = "date"
    """A date: where the index keeps it."""


def _token(*paths: str, selective: bool = False, common: tuple[str, ...] = ()) -> Parameter:
    return Parameter("token", paths, selective=selective, common=frozenset(common))


def _reference(*paths: str, to: tuple[str, ...]) -> Parameter:
    return Parameter("reference", paths, targets=to, selective=True)


def _string(*paths: str) -> Parameter:
    return Parameter("string", paths)


def _date(*paths: str, column: DateColumn = "date") -> Parameter:
    return Parameter("date", paths, column=column)


_PERSONS = ("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson")
_IDENTIFIER = {"identifier": _token("identifier", selective=True)}
_SUBJECT = {"subject": _reference("subject", to=("Patient",))}
_EFFECTIVE = ("effectiveDateTime", "effectivePeriod", "effectiveInstant")

EVERY_TYPE: Mapping[str, Parameter] = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated", column="last_updated"),
}

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "DiagnosticReport": _IDENTIFIER
    | _SUBJECT
    | {
        "based-on": _reference("basedOn", to=("ServiceRequest",)),
        "category": _token("category"),
        "code": _token("code"),
        "conclusion": _token("conclusionCode"),
        "date": _date(*_EFFECTIVE),
        "issued": _date("issued", column="issued"),
        "performer": _reference("performer", to=_PERSONS),
        "result": _reference("result", to=("Observation",)),
        "results-interpreter": _reference("resultsInterpreter", to=_PERSONS),
        "status": _token("status"),
    },
    "Observation": _IDENTIFIER
    | _SUBJECT
    | {
        "category": _token("category"),
        "code": _token("code"),
        "date": _date(*_EFFECTIVE),
        "derived-from": _reference("derivedFrom", to=("ImagingStudy", "DocumentReference")),
        "status": _token("status"),
    },
    "Provenance": {
        "agent": _reference("agent.who", to=("Device", *_PERSONS)),
        "agent-role": _token("agent.role"),
        "agent-type": _token("agent.type"),
        "entity": _reference("entity.what", to=("ImagingStudy", "DocumentReference")),
        "recorded": _date("recorded"),
        "target": _reference("target", to=("DiagnosticReport", "Observation")),
    },
    "Device": _IDENTIFIER
    | {
        "device-name": _string("deviceName.name"),
        "manufacturer": _string("manufacturer"),
        "model": _string("modelNumber"),
        "status": _token("status"),
        "type": _token("type"),
    },
    "Task": _IDENTIFIER
    | {
        "authored-on": _date("authoredOn"),
        "based-on": _reference("basedOn", to=("ServiceRequest",)),
        "business-status": _token("businessStatus"),
        "code": _token("code"),
        "focus": _reference("focus", to=("DiagnosticReport",)),
        "intent": _token("intent"),
        "modified": _date("lastModified", column="issued"),
        "owner": _reference("owner", to=_PERSONS),
        "priority": _token("priority"),
        "requester": _reference("requester", to=("Device", *_PERSONS)),
        "status": _token("status"),
        "subject": _reference("for", to=("Patient",)),
    },
    "DocumentReference": _IDENTIFIER
    | {
        "category": _token("category"),
        "contenttype": _token("content.attachment.contentType"),
        "date": _date("date"),
        "related": _reference("context.related", to=("Device",)),
        "status": _token("status"),
        "subject": _reference("subject", to=("Device",)),
        "type": _token("type"),
    },
    "AuditEvent": {
        "action": _token("action"),
        "agent": _reference("agent.who", to=("Device", *_PERSONS)),
        "agent-role": _token("agent.role"),
        "date": _date("recorded", column="last_updated"),
        "entity": _reference("entity.what", to=("Patient", "DiagnosticReport", "Observation")),
        "entity-role": _token("entity.role"),
        "entity-type": _token("entity.type"),
        "outcome": _token("outcome", selective=True, common=("0",)),
        "policy": Parameter("uri", ("agent.policy",)),
        "source": Parameter("reference", ("source.observer",), targets=("Device",)),
        "subtype": _token("subtype", selective=True),
        "type": _token("type", selective=True, common=("rest",)),
    },
}
"""The types that are served, and what each can be searched by beside :data:`EVERY_TYPE` and ``patient``."""

OF_PATIENTS = frozenset({"DiagnosticReport", "Observation", "Provenance", "Task", "AuditEvent"})
"""The types whose resources are about a patient (FHIR R4, "Compartment Patient")."""


def parameters(type: str) -> dict[str, Parameter]:
    """All of a type but ``patient``, by name."""
    return {**EVERY_TYPE, **PARAMETERS[type]}


def elements(resource: Any, path: str) -> Iterator[Any]:
    """Every value at ``path``, lists followed through: ``agent.who`` gives the ``who`` of each agent."""
    head, _, rest = path.partition(".")
    value = resource.get(head) if isinstance(resource, dict) else None
    for one in value if isinstance(value, list) else [value]:
        if one is not None:
            yield from elements(one, rest) if rest else (one,)
