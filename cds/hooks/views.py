"""The three endpoints over HTTP (CDS Hooks 2.0, "Discovery", "Calling a CDS Service", "Feedback", "CORS")."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, RequestEntityTooLarge

from cds.audit.balp import Party
from cds.audit.trail import OnBehalf, Trail
from cds.compression import compress
from cds.errors import (
    RequestError,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unknown,
    UnsupportedEncoding,
    UpstreamError,
)
from cds.hooks import feedback
from cds.hooks.call import Answer
from cds.hooks.client_auth import Client
from cds.hooks.discovery import SERVICES, Service
from cds.hooks.door import Door
from cds.hooks.openapi import openapi
from cds.hooks.request import HookRequest, parse
from cds.logs import kind_and_place
from cds.operation_outcome import issue_type, outcome
from cds.registration import Registrations
from cds.reporting.record import Record

_log = logging.getLogger(__name__)


def blueprint(
    *,
    us: Party,
    door: Door,
    answers: Mapping[str, Callable[[Client, HookRequest, float], Answer]],
    registrations: Registrations,
    record: Record,
) -> Blueprint:
    """``answers`` holds what answers each service of :data:`~cds.hooks.discovery.SERVICES`."""
    bp = Blueprint("hooks", __name__)
    origins = {origin for registration in registrations for origin in registration.origins}

    @bp.get("/cds-services")
    def discovery() -> Response:
        return _json({"services": [service.as_json() for service in SERVICES.values()]})

    @bp.get("/openapi.json")
    def description() -> Response:
        return _json(openapi(SERVICES.values(), us.address))

    @bp.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        arrived = time.monotonic()
        service = _service(service_id)
        with admitted() as client:
            hook = parse(service, _body())
        # From here on the answer keeps its own audit trail.
        answer = answers[service.id](client, hook, arrived)
        response = _json({"cards": answer.cards})
        response.headers["Server-Timing"] = _server_timing(answer.timings)
        return response

    @bp.post("/cds-services/<service_id>/feedback")
    def give_feedback(service_id: str) -> Response:
        service = _service(service_id)
        with admitted() as client:
            trail = Trail(us, OnBehalf(token_id=client.jti))
            trail.feedback_given(client.registration.issuer, service.id)
            record.feedback(client.tenant, service.id, feedback.parse(_body()), trail)
        return _json({})

    def admitted() -> AbstractContextManager[Client]:
        return door.admitted(request.headers.get("Authorization"), request.path, request.remote_addr)

    @bp.errorhandler(RequestError)
    def refused(error: RequestError) -> Response:
        if isinstance(error, Unauthenticated):
            return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        response = _outcome("error", error.code, str(error), error.status)
        if isinstance(error, TooManyRequests):
            response.headers["Retry-After"] = str(error.retry_after_s)
        if isinstance(error, UnsupportedEncoding):
            response.headers["Accept-Encoding"] = "identity"
        return response

    @bp.errorhandler(UpstreamError)
    def unavailable(error: UpstreamError) -> Response:
        """Our own database is away: nothing was kept, the EHR may ask again."""
        _log.error("a hook could not be answered: %s", error)
        return _outcome("error", "transient", "the service cannot answer at the moment", 503)

    @bp.errorhandler(Exception)
    def defect(error: Exception) -> Response:
        """A fault of ours."""
        _log.error("a hook failed: %s", kind_and_place(error))
        return _outcome("fatal", "exception", "this is a fault of ours and has been logged", 500)

    # Of the whole application too, for a wrong path or method belongs to no blueprint yet.
    @bp.errorhandler(HTTPException)
    @bp.app_errorhandler(HTTPException)
    def wrong(error: HTTPException) -> Response | HTTPException:
        if not request.path.startswith("/cds-services"):
            return error
        status = error.code or 500
        response = _outcome("error", issue_type(status), error.description or error.name, status)
        if isinstance(error, MethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response

    @bp.after_request
    def share_with_registered_origins(response: Response) -> Response:
        origin = request.headers.get("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Expose-Headers"] = "Retry-After, Server-Timing"
            response.headers["Access-Control-Max-Age"] = "3600"
        response.vary.add("Origin")
        return response

    @bp.after_request
    def compressed(response: Response) -> Response:
        compress(response, request.accept_encodings)
        return response

    return bp


def _service(service_id: str) -> Service:
    if service_id not in SERVICES:
        raise Unknown("there is no such service; see /cds-services")
    return SERVICES[service_id]


def _body() -> bytes:
    """The request's body as it was sent; raises :class:`RequestError` for one that we do not take."""
    if request.content_encoding not in (None, "", "identity"):
        raise UnsupportedEncoding("the body must not be compressed")
    try:
        body = request.get_data()
        if request.content_length is None:
            # Of chunks werkzeug gives as many as we take and stops without a word: one more read tells.
            request.stream.read()
        elif len(body) < request.content_length:
            raise ClientDisconnected
    except RequestEntityTooLarge:
        raise TooLarge(f"the body is larger than {request.max_content_length} bytes") from None
    except ClientDisconnected:
        raise RequestError("the body did not come whole") from None
    return body


def _server_timing(timings: Mapping[str, float]) -> str:
    """How long each step took, for whoever wonders where the time went (W3C Server Timing)."""
    return ", ".join(f"{step.replace(' ', '-')};dur={ms}" for step, ms in timings.items())


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), mimetype="application/json", headers={"Cache-Control": "no-store"})


def _outcome(severity: str, code: str, diagnostics: str, status: int) -> Response:
    body = orjson.dumps(outcome(severity, code, diagnostics))
    return Response(body, status, mimetype="application/fhir+json")
