"""Resources as they go over the wire (FHIR R4, "Content Types and encodings", "HTTP headers")."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import orjson
from flask import Response, request
from werkzeug.exceptions import HTTPException, NotAcceptable, UnsupportedMediaType
from werkzeug.http import parse_options_header

from cds.compression import gzipped
from cds.errors import RequestError, TooManyRequests, Unauthenticated
from cds.operation_outcome import issue_type, outcome

FHIR_JSON = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"

_ACCEPTED = frozenset({FHIR_JSON, "application/json", "text/json", "application/*", "*/*", "json"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")

Resource = dict[str, Any]


def check_accept() -> None:
    """406 where the client takes no JSON of FHIR R4; ``_format`` overrides ``Accept``."""
    if asked := request.args.get("_format"):
        wanted = [asked.replace(" ", "+")]
    else:
        wanted = [value for value, quality in request.accept_mimetypes if quality > 0] or ["*/*"]
    for one in wanted:
        type, options = parse_options_header(one)
        if type in _ACCEPTED and options.get("fhirversion", "4.0") in ("4.0", "4.0.1"):
            return
    raise NotAcceptable(f"{FHIR_JSON} of FHIR 4.0 is what is served here")


def check_form() -> None:
    if request.mimetype != FORM:
        raise UnsupportedMediaType(f"the body must be {FORM}")


def fhir_json(content: Resource, status: int = 200) -> Response:
    response = Response(orjson.dumps(content), status, content_type=f"{FHIR_JSON}; charset=utf-8")
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def one_resource(resource: Resource, whole: Resource) -> Response:
    """``resource``, which may be a part of ``whole``: with ETag and Last-Modified, or 304 where it is known."""
    response = fhir_json(resource)
    response.set_etag(whole["meta"]["versionId"], weak=True)
    response.last_modified = datetime.fromisoformat(whole["meta"]["lastUpdated"])
    response.make_conditional(request.environ)
    return response


def strict() -> bool:
    """``Prefer: handling=strict`` (RFC 7240; FHIR R4 §3.1.1.6)."""
    return preference("handling") == "strict"


def preference(name: str) -> str:
    """A value of the ``Prefer`` header, empty where it has none; ``true`` for one without a value."""
    for part in request.headers.get("Prefer", "").replace(";", ",").split(","):
        key, equals, value = part.strip().partition("=")
        if key.lower() == name:
            return value.strip('"') if equals else "true"
    return ""


def request_id() -> str | None:
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else None


def failure(error: RequestError) -> Response:
    """An OperationOutcome; of a 401 without the reason, which helps only who guesses."""
    if isinstance(error, Unauthenticated):
        response = fhir_json(outcome("error", error.code, "a valid access token is required"), error.status)
        sent = request.headers.get("Authorization")
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if sent else "Bearer"
        return response
    response = fhir_json(outcome("error", error.code, str(error)), error.status)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def http_failure(error: HTTPException) -> Response:
    """What Flask refuses by itself."""
    status = error.code or 500
    return fhir_json(outcome("error", issue_type(status), error.description or error.name), status)


def compress(response: Response) -> None:
    """gzip for whoever asks (RFC 9110 §12.5.3). No cookie opens anything here, so length tells nobody a secret."""
    if response.status_code == 200:
        gzipped(response, request.accept_encodings)
    else:
        response.vary.add("Accept-Encoding")
