"""One HTTP exchange with a system that is not ours: bounded in time and size, redirects never followed."""

from __future__ import annotations

import time
from typing import Any

import httpx
import orjson

from cds import received
from cds.ehr.datatypes import Resource, elements, string
from cds.errors import BadAnswer, Missing, Refused, Unreachable, UpstreamError

MAX_BODY_BYTES = 16 * 1024 * 1024

ISSUE_TYPES = frozenset(
    {
        *("invalid", "structure", "required", "value", "invariant"),
        *("security", "login", "unknown", "expired", "forbidden", "suppressed"),
        *("processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long"),
        *("code-invalid", "extension", "too-costly", "business-rule", "conflict"),
        *("transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"),
        "informational",
    }
)
"""FHIR R4 issue-type. A code that is not among them is not repeated: it could be anything."""


def exchange(
    http: httpx.Client,
    request: httpx.Request,
    *,
    auth: httpx.Auth | None = None,
    timeout_s: float,
    max_bytes: int = MAX_BODY_BYTES,
) -> httpx.Response:
    """Send ``request``; the response comes with its whole body read.

    Raises :class:`Unreachable` without an answer within ``timeout_s`` seconds, :class:`BadAnswer` for a body over
    ``max_bytes`` or in an encoding that we did not ask for.
    """
    if timeout_s <= 0:
        raise Unreachable("there was no time left to ask")
    ends = time.monotonic() + timeout_s
    request.headers.update(received.ASKED_FOR)
    request.extensions = {**request.extensions, "timeout": httpx.Timeout(timeout_s).as_dict()}
    try:
        # Without an auth of ours none is used: the client's own default must not add a header.
        response = http.send(request, auth=auth, stream=True, follow_redirects=False)
        try:
            body = received.body(response, limit=max_bytes, ends=ends)
        finally:
            response.close()
    except httpx.TimeoutException:
        raise Unreachable("there was no answer in time") from None
    except httpx.DecodingError:
        raise BadAnswer("the body could not be decompressed") from None
    except httpx.RequestError as error:
        raise Unreachable(f"the connection failed ({type(error).__name__})") from None
    return _whole(response, body)


def _whole(response: httpx.Response, body: bytes) -> httpx.Response:
    headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() != "content-encoding"]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


def check(response: httpx.Response, what: str) -> httpx.Response:
    """The response if it is a success, else the :class:`UpstreamError` that fits, with issue codes at most."""
    if response.is_success:
        return response
    status = response.status_code
    if response.is_redirect:
        raise BadAnswer(f"{what} was answered with a redirect, which is not followed", status=status)
    leaf: type[UpstreamError] = {401: Refused, 403: Refused, 404: Missing, 410: Missing}.get(status, BadAnswer)
    codes = ", ".join(issue_codes(response))
    raise leaf(f"{what} was answered {status}" + (f" ({codes})" if codes else ""), status=status)


def issue_codes(response: httpx.Response) -> list[str]:
    """The ``issue.code`` of an OperationOutcome. Diagnostics and details may hold patient data: left unread."""
    try:
        outcome = read_object(response)
    except BadAnswer:
        return []
    codes = {string(issue, "code") for issue in elements(outcome, "issue")}
    return sorted(codes & ISSUE_TYPES)


def read_object(response: httpx.Response) -> Resource:
    """The JSON object in the body, else :class:`BadAnswer`."""
    return parse_object(response.content)


def parse_object(body: bytes) -> Resource:
    """The JSON object that ``body`` is, else :class:`BadAnswer`."""
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadAnswer("the body is not JSON") from None
    if not isinstance(value, dict):
        raise BadAnswer("the body is not a JSON object")
    return value
