"""What this server can do, and where: SMART App Launch 2.2 §7, OpenID Connect Discovery 1.0, RFC 7517."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from cds.sandbox.keys import public_jwks
from cds.sandbox.oauth.server import server

bp = Blueprint("oauth_discovery", __name__)

CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-online",
    "permission-offline",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


@bp.get("/fhir/.well-known/smart-configuration")
def smart_configuration() -> Response:
    return _document(
        **_endpoints(),
        capabilities=CAPABILITIES,
        code_challenge_methods_supported=["S256"],
        introspection_endpoint=server().endpoint("introspect"),
        revocation_endpoint=server().endpoint("revoke"),
        token_endpoint_auth_signing_alg_values_supported=["ES384", "RS384"],
    )


# The issuer is the FHIR base, so OIDC Discovery §4 looks below it; the root is for whoever guesses.
@bp.get("/fhir/.well-known/openid-configuration")
@bp.get("/.well-known/openid-configuration")
def openid_configuration() -> Response:
    return _document(
        **_endpoints(),
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["ES384"],
        claims_supported=["iss", "sub", "aud", "exp", "iat", "nonce", "fhirUser", "profile"],
        code_challenge_methods_supported=["S256"],
    )


@bp.get("/oauth/jwks")
def jwks() -> Response:
    return _document(**public_jwks(server().key))


def _endpoints() -> dict[str, Any]:
    return {
        "issuer": server().issuer,
        "jwks_uri": server().endpoint("jwks"),
        "authorization_endpoint": server().endpoint("authorize"),
        "token_endpoint": server().endpoint("token"),
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "none"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": [
            *("openid", "fhirUser", "profile", "launch", "launch/patient", "launch/encounter"),
            *("online_access", "offline_access", "patient/*.cruds", "user/*.cruds", "system/*.cruds"),
        ],
    }


def _document(**content: Any) -> Response:
    """Public, and asked for by apps in browsers too."""
    response = jsonify(content)
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
