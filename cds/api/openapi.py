"""The API as OpenAPI 3.1: what it takes is described by what checks it."""

from __future__ import annotations

from typing import Any

from cds.api.assess_request import AssessRequest
from cds.findings import KNOWN_FINDINGS, Assertion, Level

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}


def openapi(base_url: str) -> Json:
    """The description of ``/api/v1``."""
    request = AssessRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sightline: assessment without FHIR", "version": "1"},
        "servers": [{"url": base_url}],
        "paths": {"/api/v1/assess": {"post": _assess()}},
        "components": {
            "schemas": {
                **request.pop("$defs"),
                "AssessRequest": request,
                "Assessment": _ASSESSMENT,
                "Problem": _PROBLEM,
            },
            "securitySchemes": {"client": _CLIENT},
        },
    }


def _assess() -> Json:
    refused = {status: _refused(why) for status, why in _REFUSED.items()}
    return {
        "operationId": "assess",
        "summary": "Rank chest findings by symptoms, values and a note",
        "description": "Nothing of the request is kept. For information, never a diagnosis.",
        "security": [{"client": []}],
        "requestBody": {"required": True, "content": _json("AssessRequest")},
        "responses": {
            "200": {"description": "Findings, worst first", "content": _json("Assessment")},
            "401": {"description": "Who calls is not shown", "headers": {"WWW-Authenticate": {"schema": _TEXT}}},
            **refused,
        },
    }


_REFUSED = {
    "400": "The body is not JSON",
    "413": "The body is too large",
    "422": "Fields are not as asked; `errors` names each",
    "429": "Too many calls in a minute",
    "503": "The service cannot answer at the moment",
}


def _refused(why: str) -> Json:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": why, "content": {"application/problem+json": schema}}


def _json(name: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "required": required, "properties": properties}


def _list(of: Json) -> Json:
    return {"type": "array", "items": of}


_CLIENT: Json = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Signed by a registered client; `aud` is the URL called, `jti` is good for one call.",
}
_CODING: Json = _object(["system", "code", "display"], system=_TEXT, code=_TEXT, display=_TEXT)
_PROBABILITY: Json = {"type": "number", "minimum": 0, "maximum": 1}
_OFFSET: Json = {"type": "integer", "minimum": 0, "description": "In the note as it was sent"}
_KEY: Json = {"enum": list(KNOWN_FINDINGS)}
_ASSESSMENT: Json = _object(
    ["findings", "evidence", "recommendedTests", "models", "disclaimer"],
    findings=_list(
        _object(
            ["finding", "coding", "probability", "level"],
            finding=_KEY,
            coding=_CODING,
            probability=_PROBABILITY,
            level={"enum": [level.value for level in Level]},
        )
    ),
    evidence=_list(
        _object(
            ["finding", "assertion", "text"],
            finding=_KEY,
            assertion={"enum": [assertion.value for assertion in Assertion]},
            text={
                **_TEXT,
                "description": "A sentence of the note, or of what was given beside it; no identifiers",
            },
            probability=_PROBABILITY,
            start=_OFFSET,
            end=_OFFSET,
        )
    ),
    recommendedTests=_list(
        _object(
            ["test", "reasons", "findings"], test=_TEXT, coding=_CODING, reasons=_list(_TEXT), findings=_list(_KEY)
        )
    ),
    models=_list(
        _object(["kind", "name", "version", "digest"], kind=_TEXT, name=_TEXT, version=_TEXT, digest=_TEXT)
    ),
    disclaimer=_TEXT,
)
_PROBLEM: Json = _object(
    ["type", "title", "status", "detail"],
    type=_TEXT,
    title=_TEXT,
    status={"type": "integer"},
    detail=_TEXT,
    errors=_list(_object(["pointer", "detail"], pointer=_TEXT, detail=_TEXT)),
)
