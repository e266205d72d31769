"""update (FHIR R4, 3.1.0.4 "update", with "update as create" and ``If-Match``)."""

from __future__ import annotations

from flask import Response, request

from cds.errors import RequestError
from cds.sandbox.bundles import check_version
from cds.sandbox.fhir.authorization import permit, require
from cds.sandbox.fhir.representation import check_id, check_type, resource_in_body, written
from cds.sandbox.fhir.validation import check
from cds.sandbox.parts import sandbox


def update(of_type: str, id: str) -> Response:
    """200 with the next version, or 201 with the first; 412 where ``If-Match`` names another version."""
    check_type(of_type)
    check_id(id)
    require("update", of_type)
    resource = resource_in_body(of_type)
    if resource.get("id") != id:
        raise RequestError("the resource's id must be the one in the URL")
    permit("update", resource)
    check(resource)
    records = sandbox().records
    with records.atomically():
        if held := records.find(of_type, id):
            permit("update", held)
            check_version(held, request.headers.get("If-Match"))
        kept = records.update(resource)
    return written(kept, 200 if held else 201)
