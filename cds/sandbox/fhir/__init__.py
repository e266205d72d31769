"""A FHIR R4 server over HTTP (FHIR R4, "RESTful API"): one file per chapter, and here the table of its routes."""

from __future__ import annotations

from flask import Blueprint, Response, request
from orjson import JSONEncodeError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from cds.errors import RequestError
from cds.sandbox.bearer import authenticate
from cds.sandbox.fhir import capability, create, read, search, transaction, update
from cds.sandbox.fhir.representation import failure, http_failure
from cds.sandbox.parts import sandbox


def blueprint() -> Blueprint:
    """The routes, to be registered at ``/fhir``."""
    fhir = Blueprint("fhir", __name__)
    fhir.before_request(_authenticate)
    fhir.add_url_rule("/metadata", view_func=capability.metadata)
    fhir.add_url_rule("/", view_func=transaction.transaction, methods=["POST"], strict_slashes=False)
    fhir.add_url_rule("/<of_type>", view_func=search.search)
    fhir.add_url_rule("/<of_type>/_search", view_func=search.search, methods=["POST"], endpoint="search_by_post")
    fhir.add_url_rule("/<of_type>", view_func=create.create, methods=["POST"])
    fhir.add_url_rule("/<of_type>/<id>", view_func=read.read)
    fhir.add_url_rule("/<of_type>/<id>", view_func=update.update, methods=["PUT"])
    fhir.add_url_rule("/<of_type>/<id>/_history/<version>", view_func=read.vread)
    fhir.add_url_rule("/<path:rest>", view_func=_nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    fhir.register_error_handler(RequestError, failure)
    fhir.register_error_handler(HTTPException, http_failure)
    fhir.register_error_handler(RecursionError, _too_deep)
    fhir.register_error_handler(JSONEncodeError, _too_deep)
    return fhir


def _authenticate() -> None:
    if request.endpoint != "fhir.metadata":
        authenticate(sandbox().tokens, sandbox().fhir_base)


def _nothing(rest: str) -> Response:
    raise NotFound if request.method == "GET" else MethodNotAllowed


def _too_deep(error: Exception) -> Response:
    return failure(RequestError("the body is nested too deeply"))
