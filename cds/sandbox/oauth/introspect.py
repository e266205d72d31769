"""RFC 7662, token introspection, with what SMART App Launch 2.2 §9 adds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, jsonify, request

from cds.errors import Unauthenticated
from cds.sandbox.access import Access
from cds.sandbox.oauth.errors import InvalidClient, OAuthError, answer
from cds.sandbox.oauth.server import server

bp = Blueprint("oauth_introspect", __name__)


@bp.post("/oauth/introspect")
def introspect() -> Response:
    """What an access token says, to any client that shows who it is; nothing about one that is not good."""
    try:
        if server().authentication.authenticate(request).public:
            raise InvalidClient("a public client cannot show who it is")
        if "token" not in request.form:
            raise OAuthError("invalid_request", "token is missing")
    except OAuthError as error:
        return answer(error)
    response = jsonify(_described(request.form["token"]))
    response.headers["Cache-Control"] = "no-store"
    return response


def _described(token: str) -> dict[str, Any]:
    access = _verified(token)
    if access is None:
        return {"active": False}
    held = {
        "active": True,
        "iss": server().issuer,
        "sub": access.subject,
        "aud": access.audience,
        "client_id": access.client_id,
        "scope": " ".join(sorted(access.scopes)),
        "exp": access.expires,
        "token_type": "Bearer",
        "patient": access.patient,
        "fhirUser": access.fhir_user,
    }
    return {name: value for name, value in held.items() if value is not None}


def _verified(token: str) -> Access | None:
    """What the token says, for whichever of our servers it is."""
    for audience in (server().issuer, *server().resources):
        with suppress(Unauthenticated):
            return server().tokens.verify(token, audience)
    return None
