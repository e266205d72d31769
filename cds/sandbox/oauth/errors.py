"""Errors in the words of RFC 6749: §4.1.2.1 at the authorization endpoint, §5.2 at the token endpoint."""

from __future__ import annotations

from flask import Response, jsonify

from cds.errors import RequestError


class OAuthError(RequestError):
    """``error`` is the standard's code, the message its ``error_description``."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.status = status


class InvalidClient(OAuthError):
    """Who is asking is not shown (§5.2: 401 and a challenge)."""

    def __init__(self, description: str) -> None:
        super().__init__("invalid_client", description, status=401)


def answer(error: OAuthError) -> Response:
    """The JSON body of §5.2."""
    response = jsonify(error=error.error, error_description=str(error))
    response.status_code = error.status
    response.headers["Cache-Control"] = "no-store"
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="sandbox"'
    return response
