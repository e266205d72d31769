"""The token endpoint: RFC 6749 §4.1.3, §4.4 and §6, SMART App Launch 2.2 §2.0.11 and its Backend Services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from cds.sandbox import scopes
from cds.sandbox.clients import Client
from cds.sandbox.oauth import id_token, pkce
from cds.sandbox.oauth.errors import OAuthError, answer
from cds.sandbox.oauth.grants import Grant
from cds.sandbox.oauth.server import ACCESS_S, server

bp = Blueprint("oauth_token", __name__)

BACKEND_TOKEN_S = 300


@bp.post("/oauth/token")
def token() -> Response:
    try:
        client = server().authentication.authenticate(request)
        grant_type = GRANT_TYPES.get(request.form.get("grant_type", ""))
        if grant_type is None:
            raise OAuthError("unsupported_grant_type", "grant_type is none of " + ", ".join(GRANT_TYPES))
        response = jsonify(grant_type(client))
    except OAuthError as error:
        return answer(error)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response


def _authorization_code(client: Client) -> dict[str, Any]:
    """§4.1.3; a code shown twice ends all that came of it (§4.1.2)."""
    grant = _spend(client, server().codes.take, request.form.get("code", ""))
    if request.form.get("redirect_uri") != grant.request.redirect_uri:
        raise OAuthError("invalid_grant", "redirect_uri is not that of the authorization request")
    pkce.verify(request.form.get("code_verifier", ""), grant.request.code_challenge)
    return _answer(grant, grant.scopes, nonce=grant.request.nonce)


def _refresh_token(client: Client) -> dict[str, Any]:
    """§6: the scope may only shrink, and the refresh token is replaced by a new one each time."""
    asked = request.form.get("scope")
    grant = _spend(client, server().refresh_tokens.take, request.form.get("refresh_token", ""))
    granted = grant.scopes if asked is None else scopes.grant(asked, grant.scopes)
    if not granted:
        raise OAuthError("invalid_scope", "nothing of the scope asked for was granted before")
    return _answer(grant, granted, nonce="")


def _client_credentials(client: Client) -> dict[str, Any]:
    """Backend Services: ``system/`` scopes for a client that holds a key; no refresh token, five minutes."""
    if not (client.jwks or client.jwks_url):
        raise OAuthError("unauthorized_client", "Backend Services need a client with registered keys")
    asked = (scope for scope in request.form.get("scope", "").split() if scope.startswith("system/"))
    granted = scopes.grant(" ".join(asked), client.scopes)
    if not granted:
        raise OAuthError("invalid_scope", "no system/ scope that is registered for this client was asked for")
    access_token = server().tokens.issue(
        subject=client.id,
        client_id=client.id,
        scopes=granted,
        audience=server().audience(request.form.get("resource"), server().backend_audiences),
        lifetime_s=BACKEND_TOKEN_S,
    )
    return _bearer(access_token, granted, BACKEND_TOKEN_S)


GRANT_TYPES: dict[str, Callable[[Client], dict[str, Any]]] = {
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
    "client_credentials": _client_credentials,
}


def _spend(client: Client, take: Callable[[str], Grant | None], handle: str) -> Grant:
    """The grant behind a code or refresh token, which is used up by this."""
    if robbed := server().spent.get(handle):
        server().end(robbed)
        raise OAuthError("invalid_grant", "it was used before; everything that came of it is revoked")
    grant = take(handle)
    if grant is None:
        raise OAuthError("invalid_grant", "it is unknown or expired")
    server().spent.keep(handle, grant)
    if grant.request.client_id != client.id:
        raise OAuthError("invalid_grant", "it was issued to another client")
    return grant


def _answer(grant: Grant, granted: tuple[str, ...], *, nonce: str) -> dict[str, Any]:
    issuer, user = server().issuer, grant.context.user
    access_token = server().tokens.issue(
        subject=user.partition("/")[2],
        client_id=grant.request.client_id,
        scopes=granted,
        audience=server().audience(request.form.get("resource"), issuer),
        lifetime_s=ACCESS_S,
        patient=grant.context.patient or None,
        fhir_user=f"{issuer}/{user}",
    )
    server().access_tokens.keep(access_token, grant)
    body = _bearer(access_token, granted, ACCESS_S) | grant.context.as_token_parameters()
    if "openid" in granted:
        body["id_token"] = id_token.issue(
            server().key, issuer=issuer, client_id=grant.request.client_id, user=user, nonce=nonce, scopes=granted
        )
    if {"offline_access", "online_access"} & set(granted):
        body["refresh_token"] = server().refresh_tokens.issue(grant)
    return body


def _bearer(access_token: str, granted: tuple[str, ...], lifetime_s: int) -> dict[str, Any]:
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": lifetime_s,
        "scope": " ".join(granted),
    }
