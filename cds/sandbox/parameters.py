"""Search parameters: by which elements each resource type can be found (FHIR R4, "Search Parameter Registry")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["token", "reference", "date", "string"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter: its type and the elements that it looks at."""

    kind: Kind
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()
    """The types that a reference may point to; empty: any."""


def token(*paths: str) -> Parameter:
    return Parameter("token", paths)


def date(*paths: str) -> Parameter:
    return Parameter("date", paths)


def string(*paths: str) -> Parameter:
    return Parameter("string", paths)


def reference(*paths: str, to: tuple[str, ...] = ()) -> Parameter:
    return Parameter("reference", paths, to)


def _about(path: str) -> dict[str, Parameter]:
    """``subject`` as it stands, and ``patient``: the same where it is a Patient."""
    return {"subject": reference(path), "patient": reference(path, to=("Patient",))}


EVERY_TYPE: Mapping[str, Parameter] = {
    "_id": token("id"),
    "_lastUpdated": date("meta.lastUpdated"),
    "identifier": token("identifier"),
}

_ENCOUNTER = reference("encounter", to=("Encounter",))
_CODED = {"status": token("status"), "category": token("category"), "code": token("code")}

BY_TYPE: Mapping[str, Mapping[str, Parameter]] = {
    "Patient": {
        "name": string("name.family", "name.given", "name.text"),
        "family": string("name.family"),
        "given": string("name.given"),
        "birthdate": date("birthDate"),
        "gender": token("gender"),
    },
    "Practitioner": {"name": string("name.family", "name.given", "name.text"), "family": string("name.family")},
    "PractitionerRole": {
        "practitioner": reference("practitioner", to=("Practitioner",)),
        "organization": reference("organization", to=("Organization",)),
    },
    "Organization": {"name": string("name"), "type": token("type")},
    "Encounter": _about("subject")
    | {"status": token("status"), "class": token("class"), "type": token("type"), "date": date("period")},
    "ServiceRequest": _about("subject")
    | _CODED
    | {
        "encounter": _ENCOUNTER,
        "intent": token("intent"),
        "priority": token("priority"),
        "authored": date("authoredOn"),
        "requester": reference("requester"),
    },
    "ImagingStudy": _about("subject")
    | {
        "encounter": _ENCOUNTER,
        "status": token("status"),
        "modality": token("series.modality"),
        "started": date("started"),
        "endpoint": reference("endpoint", "series.endpoint", to=("Endpoint",)),
        "basedon": reference("basedOn"),
    },
    "Endpoint": {
        "status": token("status"),
        "connection-type": token("connectionType"),
        "name": string("name"),
        "organization": reference("managingOrganization", to=("Organization",)),
    },
    "Composition": _about("subject")
    | {
        "encounter": _ENCOUNTER,
        "status": token("status"),
        "category": token("category"),
        "type": token("type"),
        "date": date("date"),
    },
    "DocumentReference": _about("subject")
    | {
        "encounter": reference("context.encounter"),
        "status": token("status"),
        "category": token("category"),
        "type": token("type"),
        "date": date("date"),
        "period": date("context.period"),
        "contenttype": token("content.attachment.contentType"),
        "location": reference("content.attachment.url", to=("Binary",)),
    },
    "Condition": _about("subject")
    | {
        "encounter": _ENCOUNTER,
        "category": token("category"),
        "code": token("code"),
        "clinical-status": token("clinicalStatus"),
        "onset-date": date("onsetDateTime", "onsetPeriod"),
        "recorded-date": date("recordedDate"),
    },
    "DiagnosticReport": _about("subject")
    | _CODED
    | {
        "encounter": _ENCOUNTER,
        "date": date("effectiveDateTime", "effectivePeriod"),
        "issued": date("issued"),
        "based-on": reference("basedOn"),
        "result": reference("result", to=("Observation",)),
    },
    "Observation": _about("subject")
    | _CODED
    | {
        "encounter": _ENCOUNTER,
        "date": date("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
        "derived-from": reference("derivedFrom"),
    },
    "Provenance": {
        "target": reference("target"),
        "patient": reference("target", to=("Patient",)),
        "recorded": date("recorded"),
        "agent": reference("agent.who"),
        "entity": reference("entity.what"),
    },
    "Device": {
        "patient": reference("patient", to=("Patient",)),
        "status": token("status"),
        "type": token("type"),
        "device-name": string("deviceName.name"),
    },
    "Task": _about("for")
    | {
        "encounter": _ENCOUNTER,
        "status": token("status"),
        "code": token("code"),
        "authored-on": date("authoredOn"),
        "based-on": reference("basedOn"),
        "focus": reference("focus"),
        "owner": reference("owner"),
    },
    "AuditEvent": {
        "date": date("recorded"),
        "type": token("type"),
        "action": token("action"),
        "agent": reference("agent.who"),
        "entity": reference("entity.what"),
        "patient": reference("agent.who", "entity.what", to=("Patient",)),
    },
    "Binary": {},
}
"""The types that the sandbox knows by name. Any other type is kept too, and found by :data:`OTHER_TYPES`."""

OTHER_TYPES: Mapping[str, Parameter] = {
    "patient": reference("patient", "subject", "beneficiary", to=("Patient",)),
    "encounter": reference("encounter", "context", to=("Encounter",)),
    "status": token("status"),
    "code": token("code"),
}


def parameters(resource_type: str) -> dict[str, Parameter]:
    """All search parameters of a type, by name."""
    return {**EVERY_TYPE, **BY_TYPE.get(resource_type, OTHER_TYPES)}


def elements(resource: Any, path: str) -> Iterator[Any]:
    """Every value at ``path``, lists followed through: ``name.given`` gives each given name of each name."""
    head, _, rest = path.partition(".")
    value = resource.get(head) if isinstance(resource, dict) else None
    for one in value if isinstance(value, list) else [value]:
        if one is not None:
            yield from elements(one, rest) if rest else (one,)
