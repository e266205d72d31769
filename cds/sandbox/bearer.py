"""The bearer token of a request (RFC 6750), for the FHIR server and the PACS alike."""

from __future__ import annotations

from flask import g, request

from cds.errors import Unauthenticated
from cds.sandbox.access import Access, AccessTokens


def authenticate(tokens: AccessTokens, audience: str) -> None:
    """Read and verify the request's token; :class:`Unauthenticated` without a valid one for ``audience``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("there is no bearer token")
    g.access = tokens.verify(token.strip(), audience)


def access() -> Access:
    """The token of the current request, verified."""
    held: Access = g.access
    return held


def challenge() -> str:
    """``WWW-Authenticate`` of a 401: a token that was sent and not accepted is called so, a missing one is not."""
    return 'Bearer error="invalid_token"' if request.headers.get("Authorization") else "Bearer"
