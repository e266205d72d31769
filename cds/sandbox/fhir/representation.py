"""Resources as they go over the wire (FHIR R4, "Content Types and encodings", "HTTP headers")."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import orjson
from flask import Response, request
from werkzeug.exceptions import HTTPException, NotAcceptable, UnsupportedMediaType

from cds.errors import RequestError, Unauthenticated, Unknown
from cds.sandbox.bearer import challenge
from cds.sandbox.bundles import ID
from cds.sandbox.outcome import of_error, outcome
from cds.sandbox.parts import sandbox
from cds.sandbox.resource_types import RESOURCE_TYPES

FHIR_JSON = "application/fhir+json"
JSON_TYPES = (FHIR_JSON, "application/json")


def body() -> dict[str, Any]:
    """The JSON object in the request; :class:`RequestError` where there is none."""
    if request.mimetype not in JSON_TYPES:
        raise UnsupportedMediaType(f"the body must be {FHIR_JSON}")
    try:
        value = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        raise RequestError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object")
    return value


def resource_in_body(of_type: str) -> dict[str, Any]:
    """The resource in the request, which must be of the type that the URL names."""
    check_type(of_type)
    resource = body()
    if resource.get("resourceType") != of_type:
        raise RequestError(f"the body must be a resource of type {of_type}")
    if not isinstance(resource.get("meta", {}), dict):
        raise RequestError("meta must be an object")
    return resource


def check_type(of_type: str) -> None:
    if of_type not in RESOURCE_TYPES:
        raise Unknown("there is no such resource type")


def check_id(id: str) -> None:
    if not re.fullmatch(ID, id):
        raise RequestError("a resource id has 1 to 64 letters, digits, dots and hyphens")


def fhir_json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, content_type=f"{FHIR_JSON}; charset=utf-8")


def check_accept() -> None:
    """406 where the client takes no JSON (``_format`` overrides ``Accept``)."""
    asked = request.args.get("_format")
    fits = asked in ("json", *JSON_TYPES) if asked else bool(request.accept_mimetypes.best_match(JSON_TYPES))
    if not fits and (asked or request.accept_mimetypes):
        raise NotAcceptable(f"only {FHIR_JSON} is served here")


def one_resource(resource: dict[str, Any], status: int = 200) -> Response:
    """A resource with its ``ETag`` and ``Last-Modified``."""
    response = fhir_json(resource, status)
    stamp(response, resource)
    return response


def stamp(response: Response, resource: dict[str, Any]) -> None:
    response.set_etag(resource["meta"]["versionId"], weak=True)
    response.last_modified = datetime.fromisoformat(resource["meta"]["lastUpdated"])


def written(resource: dict[str, Any], status: int) -> Response:
    """The answer to a create or update: ``Location``, and the resource unless ``Prefer: return=minimal``."""
    response = one_resource(resource, status)
    if preference("return") == "minimal":
        response.set_data(b"")
    version = resource["meta"]["versionId"]
    base = sandbox().fhir_base
    response.headers["Location"] = f"{base}/{resource['resourceType']}/{resource['id']}/_history/{version}"
    return response


def preference(name: str) -> str:
    """A value of the ``Prefer`` header (RFC 7240), or an empty string."""
    for part in request.headers.get("Prefer", "").replace(";", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return ""


def failure(error: RequestError) -> Response:
    """An OperationOutcome; for a 401 without the reason, which helps only who guesses."""
    if isinstance(error, Unauthenticated):
        response = fhir_json(outcome("error", error.code, "a valid access token is required"), error.status)
        response.headers["WWW-Authenticate"] = challenge()
        return response
    return fhir_json(of_error(error), error.status)


_CODES = {404: "not-found", 405: "not-supported", 413: "too-long", 500: "exception"}


def http_failure(error: HTTPException) -> Response:
    """What Flask refuses by itself, as an OperationOutcome."""
    status = error.code or 500
    diagnostics = str(error.description or "the request was refused")
    return fhir_json(outcome("error", _CODES.get(status, "invalid"), diagnostics), status)
