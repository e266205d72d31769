"""The endpoint over HTTP (FHIR R4, "RESTful API"): its routes, its errors, its headers."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from cds.errors import RequestError, UpstreamError
from cds.fhir import bulk, instances, searches
from cds.fhir.capability import capability_statement, smart_configuration
from cds.fhir.endpoint import Endpoint
from cds.fhir.representation import check_accept, compress, failure, fhir_json, http_failure, request_id
from cds.logs import kind_and_place
from cds.operation_outcome import outcome
from cds.registration import Registrations

_log = logging.getLogger(__name__)

CROSS_ORIGIN_HEADERS = "Authorization, Accept, Content-Type, If-None-Match, Prefer, X-Request-Id"
EXPOSED_HEADERS = "ETag, Last-Modified, Content-Location, Retry-After, X-Progress, X-Request-Id"


def blueprint(endpoint: Endpoint) -> Blueprint:
    """Everything below ``/fhir``."""
    bp = Blueprint("fhir", __name__, url_prefix="/fhir")
    for routes in (_open, bulk.routes, instances.routes, searches.routes, _rest):
        routes(bp, endpoint)
    _errors(bp)
    _headers(bp, endpoint.registrations)
    return bp


def _open(bp: Blueprint, endpoint: Endpoint) -> None:
    """What needs no token."""

    @bp.get("/metadata")
    def metadata() -> Response:
        check_accept()
        return _public(capability_statement(endpoint.base))

    @bp.get("/.well-known/smart-configuration")
    def configuration() -> Response:
        response = _public(smart_configuration(endpoint.registrations))
        response.mimetype = "application/json"
        return response


def _rest(bp: Blueprint, endpoint: Endpoint) -> None:
    """Whatever else is asked below ``/fhir`` is refused in FHIR's words."""

    @bp.route("", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], defaults={"rest": ""})
    @bp.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nothing(rest: str) -> Response:
        if request.method == "GET":
            raise NotFound("there is nothing at this address; see metadata")
        raise MethodNotAllowed(["GET"], "what is served here is read only")


def _errors(bp: Blueprint) -> None:
    bp.register_error_handler(RequestError, failure)
    bp.register_error_handler(HTTPException, http_failure)

    @bp.errorhandler(UpstreamError)
    def unavailable(error: UpstreamError) -> Response:
        """Our own database is away."""
        _log.error("the FHIR endpoint could not answer: %s", error)
        return fhir_json(outcome("error", "transient", "the service cannot answer at the moment"), 503)

    @bp.errorhandler(Exception)
    def defect(error: Exception) -> Response:
        """A fault of ours."""
        _log.error("the FHIR endpoint failed: %s", kind_and_place(error))
        return fhir_json(outcome("fatal", "exception", "this is a fault of ours and has been logged"), 500)


def _headers(bp: Blueprint, registrations: Registrations) -> None:
    origins = {origin for registration in registrations for origin in registration.origins}

    @bp.after_request
    def finish(response: Response) -> Response:
        origin = request.headers.get("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            response.headers["Access-Control-Allow-Headers"] = CROSS_ORIGIN_HEADERS
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        response.vary.add("Origin")
        response.headers["X-Content-Type-Options"] = "nosniff"
        if given := request_id():
            response.headers["X-Request-Id"] = given
        compress(response)
        return response


def _public(content: dict[str, Any]) -> Response:
    response = fhir_json(content)
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
