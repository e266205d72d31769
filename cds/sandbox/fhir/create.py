"""create and conditional create (FHIR R4, 3.1.0.8 "create", 3.1.0.8.1 "conditional create")."""

from __future__ import annotations

import base64
from typing import Any

from flask import Response, request

from cds.sandbox.bundles import matching
from cds.sandbox.fhir.authorization import permit, require
from cds.sandbox.fhir.representation import JSON_TYPES, check_type, resource_in_body, written
from cds.sandbox.fhir.validation import check
from cds.sandbox.parts import sandbox


def create(of_type: str) -> Response:
    """201 with the new resource; with ``If-None-Exist`` 200 where one is there, 412 where several are."""
    check_type(of_type)
    require("create", of_type)
    resource = _binary() if _is_content(of_type) else resource_in_body(of_type)
    permit("create", resource)
    check(resource)
    records = sandbox().records
    with records.atomically():
        if condition := request.headers.get("If-None-Exist"):
            held = matching(records, of_type, condition)
            if held is not None:
                permit("create", held)
                return written(held, 200)
        return written(records.create(resource), 201)


def _is_content(of_type: str) -> bool:
    """Whether the body is a Binary's content in its own media type."""
    return of_type == "Binary" and request.mimetype not in JSON_TYPES


def _binary() -> dict[str, Any]:
    binary: dict[str, Any] = {
        "resourceType": "Binary",
        "contentType": request.content_type or "application/octet-stream",
        "data": base64.b64encode(request.get_data()).decode(),
    }
    if context := request.headers.get("X-Security-Context"):
        binary["securityContext"] = {"reference": context}
    return binary
