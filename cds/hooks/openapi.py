"""The hooks as OpenAPI 3.1: discovery, services and feedback, for whoever writes a client or tests one.

One path for each of our services, because each hook has a context of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cds.hooks.discovery import Service
from cds.hooks.feedback import MAX_ENTRIES

Json = dict[str, Any]

CDS_HOOKS = "2.0"
_A_FHIR_ID = r"(?!\.{1,2}$)[A-Za-z0-9\-.]{1,64}$"
_ID = f"^{_A_FHIR_ID}"
_USER = f"^(Practitioner|PractitionerRole|Patient|RelatedPerson)/{_A_FHIR_ID}"
_SELECTION = f"^[A-Z][A-Za-z]{{1,63}}/{_A_FHIR_ID}"


def openapi(services: Iterable[Service], base_url: str) -> Json:
    """The description of ``services`` as they answer below ``base_url``."""
    paths: Json = {"/cds-services": {"get": _DISCOVERY}}
    for service in services:
        paths[f"/cds-services/{service.id}"] = {"post": _call(service)}
        paths[f"/cds-services/{service.id}/feedback"] = {"post": _feedback(service)}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Sightline CDS Hooks",
            "version": CDS_HOOKS,
            "description": f"CDS Hooks {CDS_HOOKS}. Demonstration models: it informs, it never decides.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "responses": _RESPONSES,
            "securitySchemes": {"client": _CLIENT},
        },
    }


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _object(required: Iterable[str] = (), **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": properties}


def _array(items: Json, **bounds: int) -> Json:
    return {"type": "array", "items": items, **bounds}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _body(schema: Json) -> Json:
    return {"required": True, "content": _json(schema)}


def _refused(*names: str) -> Json:
    statuses = {
        "Invalid": "400",
        "Unauthenticated": "401",
        "Forbidden": "403",
        "Unknown": "404",
        "Incomplete": "412",
        "TooLarge": "413",
        "Compressed": "415",
        "TooManyRequests": "429",
        "Unavailable": "503",
    }
    return {statuses[name]: _ref("responses", name) for name in names}


_TEXT: Json = {"type": "string"}
_UUID: Json = {"type": "string", "format": "uuid"}
_URL: Json = {"type": "string", "format": "uri"}
_RESOURCE = _object(["resourceType"], resourceType=_TEXT)
_BUNDLE = _object(
    ["resourceType"], resourceType={"const": "Bundle"}, entry=_array(_object(["resource"], resource=_object()))
)
_PATIENT: Json = {"userId": {"type": "string", "pattern": _USER}, "patientId": {"type": "string", "pattern": _ID}}
_ENCOUNTER: Json = {"type": ["string", "null"], "pattern": _ID}

_CONTEXTS: dict[str, Json] = {
    "order-sign": _object(
        ["userId", "patientId", "draftOrders"], **_PATIENT, encounterId=_ENCOUNTER, draftOrders=_BUNDLE
    ),
    "order-select": _object(
        ["userId", "patientId", "selections", "draftOrders"],
        **_PATIENT,
        encounterId=_ENCOUNTER,
        selections=_array({"type": "string", "pattern": _SELECTION}),
        draftOrders=_BUNDLE,
    ),
    "patient-view": _object(["userId", "patientId"], **_PATIENT, encounterId=_ENCOUNTER),
    "encounter-start": _object(
        ["userId", "patientId", "encounterId"], **_PATIENT, encounterId={"type": "string", "pattern": _ID}
    ),
}
"""The context of each hook, after its page in the hook library."""

_CLIENT: Json = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Signed by a registered EHR; `aud` is the URL called, `jti` is good for one call.",
}

_DISCOVERY: Json = {
    "operationId": "discovery",
    "summary": "The services that we offer",
    "responses": {
        "200": {"description": "All of them", "content": _json(_ref("schemas", "Discovery"))},
    },
}


def _call(service: Service) -> Json:
    # Of any type: what is neither a resource nor null counts as not supplied.
    prefetch: Json = {key: {"description": query} for key, query in (service.prefetch or {}).items()}
    schema = _object(
        ["hook", "hookInstance", "context"],
        hook={"const": service.hook},
        hookInstance=_UUID,
        fhirServer=_URL,
        fhirAuthorization=_ref("schemas", "FhirAuthorization"),
        context=_CONTEXTS.get(service.hook, _object()),
        prefetch=_object(**prefetch) | {"type": ["object", "null"]},
    )
    return {
        "operationId": service.id,
        "summary": service.title,
        "description": service.description,
        "security": [{"client": []}],
        "requestBody": _body(schema | {"dependentRequired": {"fhirAuthorization": ["fhirServer"]}}),
        "responses": {
            "200": {
                "description": "The cards; none where there is nothing to say",
                "headers": {"Server-Timing": {"schema": _TEXT, "description": "Milliseconds by step"}},
                "content": _json(_object(["cards"], cards=_array(_ref("schemas", "Card")))),
            },
            **_refused("Invalid", "Unauthenticated", "Forbidden", "Incomplete"),
            **_refused("TooLarge", "Compressed", "TooManyRequests", "Unavailable"),
        },
    }


def _feedback(service: Service) -> Json:
    entries = _array(_ref("schemas", "Feedback"), maxItems=MAX_ENTRIES)
    return {
        "operationId": f"{service.id}-feedback",
        "summary": f"What became of cards of {service.title}",
        "security": [{"client": []}],
        "requestBody": _body(_object(["feedback"], feedback=entries)),
        "responses": {
            "200": {"description": "Kept", "content": _json(_object())},
            **_refused("Invalid", "Unauthenticated", "Unknown"),
            **_refused("TooLarge", "Compressed", "TooManyRequests", "Unavailable"),
        },
    }


def _outcome(description: str, **headers: Json) -> Json:
    content = {"application/fhir+json": {"schema": _ref("schemas", "OperationOutcome")}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


_RETRY_AFTER: Json = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds"}
_RESPONSES: Json = {
    "Invalid": _outcome("The request is not as CDS Hooks asks"),
    "Unauthenticated": {
        "description": "Who calls is not shown; the reason is in our audit trail",
        "headers": {"WWW-Authenticate": {"schema": _TEXT}},
    },
    "Forbidden": _outcome("The FHIR server is not registered for this caller"),
    "Unknown": _outcome("A card that we did not give"),
    "Incomplete": _outcome("Data that the answer needs cannot be had"),
    "TooLarge": _outcome("The body is too large"),
    "Compressed": _outcome("The body is compressed", **{"Accept-Encoding": {"schema": _TEXT}}),
    "TooManyRequests": _outcome("Too many calls in a minute", **{"Retry-After": _RETRY_AFTER}),
    "Unavailable": _outcome("Nothing was kept; ask again"),
}

_OVERRIDE: Json = {
    **_object(reason=_ref("schemas", "Coding"), userComment={"type": "string", "minLength": 1}),
    "anyOf": [{"required": ["reason"]}, {"required": ["userComment"]}],
}


def _became(outcome: str, *required: str, **properties: Json) -> Json:
    return _object(
        ["card", "outcome", "outcomeTimestamp", *required],
        card=_UUID,
        outcome={"const": outcome},
        outcomeTimestamp={"type": "string", "format": "date-time"},
        overrideReason=_OVERRIDE,
        **properties,
    )


_SCHEMAS: Json = {
    "Discovery": _object(["services"], services=_array(_ref("schemas", "Service"))),
    "Service": _object(
        ["hook", "description", "id"],
        id=_TEXT,
        hook=_TEXT,
        hookVersion=_TEXT,
        title=_TEXT,
        description=_TEXT,
        usageRequirements=_TEXT,
        prefetch={"type": "object", "additionalProperties": _TEXT},
    ),
    "FhirAuthorization": _object(
        ["access_token", "token_type", "scope"],
        access_token={"type": "string", "pattern": r"^[\x21-\x7e]{1,8192}$"},
        token_type={"const": "Bearer"},
        expires_in={"type": "integer"},
        scope=_TEXT,
        subject=_TEXT,
        patient=_TEXT,
    ),
    "Coding": _object(["code"], system=_URL, code={"type": "string", "minLength": 1}, display=_TEXT),
    "Card": _object(
        ["summary", "indicator", "source"],
        uuid=_UUID,
        summary={"type": "string", "maxLength": 139},
        detail={"type": "string", "description": "GitHub Flavored Markdown"},
        indicator={"enum": ["info", "warning", "critical"]},
        source=_object(["label"], label=_TEXT, url=_URL, icon=_URL, topic=_ref("schemas", "Coding")),
        suggestions=_array(_ref("schemas", "Suggestion")),
        selectionBehavior={"enum": ["at-most-one", "any"]},
        overrideReasons=_array(_ref("schemas", "Coding")),
        links=_array(_ref("schemas", "Link")),
    )
    | {"dependentRequired": {"suggestions": ["selectionBehavior"]}},
    "Suggestion": _object(
        ["label"],
        label=_TEXT,
        uuid=_UUID,
        isRecommended={"type": "boolean"},
        actions=_array(_ref("schemas", "Action")),
    ),
    "Action": _object(
        ["type", "description"],
        type={"enum": ["create", "update", "delete"]},
        description=_TEXT,
        resource=_RESOURCE,
        resourceId=_TEXT,
    ),
    "Link": _object(
        ["label", "url", "type"], label=_TEXT, url=_URL, type={"enum": ["absolute", "smart"]}, appContext=_TEXT
    ),
    "Feedback": {
        "oneOf": [
            _became(
                "accepted",
                "acceptedSuggestions",
                acceptedSuggestions=_array(_object(["id"], id=_TEXT), minItems=1),
            ),
            _became("overridden"),
        ]
    },
    "OperationOutcome": _object(
        ["resourceType", "issue"],
        resourceType={"const": "OperationOutcome"},
        issue=_array(_object(["severity", "code"], severity=_TEXT, code=_TEXT, diagnostics=_TEXT), minItems=1),
    ),
}
