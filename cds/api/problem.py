"""Refusals as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from flask import Response

from cds.api.assess_request import InvalidFields
from cds.errors import RequestError, TooManyRequests, Unauthenticated


def problem(status: int, detail: str, **more: object) -> Response:
    """``application/problem+json`` of no special type."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Response(orjson.dumps(body), status, mimetype="application/problem+json")


def refusal(error: RequestError) -> Response:
    """A 401 says nothing of why; a 422 names each field."""
    if isinstance(error, Unauthenticated):
        return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    fields = error.errors if isinstance(error, InvalidFields) else ()
    more = {"errors": [{"pointer": pointer, "detail": detail} for pointer, detail in fields]} if fields else {}
    response = problem(error.status, str(error), **more)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
