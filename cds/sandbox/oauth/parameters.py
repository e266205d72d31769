"""Request parameters, RFC 6749 §3.1 and §3.2: none may be given twice."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from cds.sandbox.oauth.errors import OAuthError

MAX_LENGTH = 8192


def check(parameters: MultiDict[str, str]) -> None:
    """Raise ``invalid_request`` for a parameter that is repeated, or longer than any has reason to be."""
    for name, values in parameters.lists():
        if len(values) > 1 or len(values[0]) > MAX_LENGTH:
            raise OAuthError("invalid_request", f"{name[:64]!r} is given twice, or is too long")
