"""RFC 7009, token revocation: an app whose user has logged out gives its tokens back."""

from __future__ import annotations

from flask import Blueprint, Response, request

from cds.errors import Unauthenticated
from cds.sandbox.clients import Client
from cds.sandbox.oauth.errors import OAuthError, answer
from cds.sandbox.oauth.server import server

bp = Blueprint("oauth_revoke", __name__)


@bp.post("/oauth/revoke")
def revoke() -> Response:
    """§2.2: 200 whether or not the token was good, for its bearer wants it gone either way."""
    try:
        client = server().authentication.authenticate(request)
        if "token" not in request.form:
            raise OAuthError("invalid_request", "token is missing")
        _revoke(request.form["token"], client)
    except OAuthError as error:
        return answer(error)
    return Response(status=200)


def _revoke(token: str, client: Client) -> None:
    """A refresh token takes everything of its grant with it (§2.1)."""
    grant = server().refresh_tokens.get(token)
    if grant is not None:
        if grant.request.client_id != client.id:
            raise OAuthError("invalid_request", "the token was issued to another client")
        server().end(grant)
        return
    try:
        access = server().tokens.verify(token, server().issuer)
    except Unauthenticated:
        return
    if access.client_id != client.id:
        raise OAuthError("invalid_request", "the token was issued to another client")
    server().tokens.revoke(token)
