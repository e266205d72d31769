"""``/api/v1`` over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from cds.api.assess_answer import answer
from cds.api.assess_request import parse
from cds.api.openapi import openapi
from cds.api.problem import problem, refusal
from cds.assess import Assessed
from cds.audit.balp import Party
from cds.audit.trail import OnBehalf, Trail
from cds.errors import ModelError, NoteError, RequestError, SightlineError, UpstreamError
from cds.notes.context import PatientContext
from cds.registration import Registration
from cds.reporting.record import Record

SERVICE = "assess"
ROOT = "/api/v1"

_log = logging.getLogger(__name__)


class Caller(Protocol):
    """Who has shown who it is."""

    @property
    def registration(self) -> Registration: ...
    @property
    def tenant(self) -> str: ...
    @property
    def jti(self) -> str: ...


def blueprint(
    *,
    us: Party,
    admitted: Callable[[str | None, str, str | None], AbstractContextManager[Caller]],
    assess: Callable[[PatientContext, str], Assessed],
    record: Record,
) -> Blueprint:
    """``admitted`` gives who calls by Authorization header, path and address, or raises :class:`RequestError`.

    What is refused within its context it puts on record.
    """
    bp = Blueprint("api", __name__)

    @bp.get(f"{ROOT}/openapi.json")
    def description() -> Response:
        return _json(openapi(us.address))

    @bp.post(f"{ROOT}/assess")
    def assess_patient() -> Response:
        with admitted(request.headers.get("Authorization"), request.path, request.remote_addr) as caller:
            asked = parse(request.get_data())
            assessed = _assessed(asked.context(), asked.note)
            record.stands.check(caller.tenant, *assessed.models)
            trail = Trail(us, OnBehalf(token_id=caller.jti))
            trail.assessed(caller.registration.issuer, SERVICE, assessed.models)
            record.audit(caller.tenant, trail)
        return _json(answer(assessed))

    def _assessed(context: PatientContext, note: str) -> Assessed:
        try:
            return assess(context, note)
        except NoteError as unreadable:
            raise RequestError(str(unreadable)) from None

    @bp.errorhandler(RequestError)
    def refused(error: RequestError) -> Response:
        return refusal(error)

    @bp.errorhandler(UpstreamError)
    @bp.errorhandler(ModelError)
    def unavailable(error: SightlineError) -> Response:
        _log.error("an assessment could not be given: %s", error)
        return problem(503, "the service cannot answer at the moment")

    @bp.errorhandler(HTTPException)
    def wrong(error: HTTPException) -> Response:
        response = problem(error.code or 500, error.description or error.name)
        if isinstance(error, MethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response

    @bp.before_app_request
    def nowhere() -> Response | None:
        """A wrong path or method belongs to no blueprint, and is refused in the words of this one all the same."""
        error = request.routing_exception
        return wrong(error) if error and f"{request.path}/".startswith(f"{ROOT}/") else None

    @bp.after_request
    def keep_nowhere(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    return bp


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), mimetype="application/json")
