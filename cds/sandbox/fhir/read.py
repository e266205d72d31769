"""read and vread (FHIR R4, 3.1.0.1 "read"; 2.42 "Binary" for content in its own media type)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Response, request

from cds.errors import RequestError
from cds.sandbox.fhir.authorization import permit, require
from cds.sandbox.fhir.representation import (
    FHIR_JSON,
    JSON_TYPES,
    check_accept,
    check_id,
    check_type,
    one_resource,
    stamp,
)
from cds.sandbox.parts import sandbox


def read(of_type: str, id: str) -> Response:
    """The current version, or 304 where the client has it; a Binary as its bytes unless JSON is asked for."""
    _check(of_type, id)
    return _answer(sandbox().records.read(of_type, id))


def vread(of_type: str, id: str, version: str) -> Response:
    """One version as it was."""
    _check(of_type, id)
    return _answer(sandbox().records.history_version(of_type, id, version))


def _check(of_type: str, id: str) -> None:
    check_type(of_type)
    check_id(id)
    require("read", of_type)


def _answer(resource: dict[str, Any]) -> Response:
    permit("read", resource)
    if resource["resourceType"] == "Binary" and _wants_bytes(resource):
        response = _content(resource)
    else:
        check_accept()
        response = one_resource(resource)
    response.make_conditional(request)
    return response


def _wants_bytes(binary: dict[str, Any]) -> bool:
    if "_format" in request.args:
        return False
    accepted = request.accept_mimetypes
    own = accepted.quality(str(binary.get("contentType", ""))) if accepted else 1
    return not any(
        accepted.find(kind) >= 0 and accepted.quality(kind) >= own for kind in JSON_TYPES if _named(kind)
    )


def _named(kind: str) -> bool:
    """Whether ``Accept`` names the media type itself, not by a wildcard."""
    return any(value.split(";")[0].strip().lower() == kind for value in request.accept_mimetypes.values())


def _content(binary: dict[str, Any]) -> Response:
    try:
        data = base64.b64decode(binary.get("data", ""), validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise RequestError(f"the Binary's data is not base64; ask for {FHIR_JSON} to see it") from None
    response = Response(data, content_type=str(binary.get("contentType", "application/octet-stream")))
    stamp(response, binary)
    # A document that someone wrote must not act as a page of ours.
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox"
    return response
