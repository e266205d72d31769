"""OpenID Connect Core §2 with SMART's ``fhirUser``: who is at work, signed for one client."""

from __future__ import annotations

import time

from joserfc import jwt
from joserfc.jwk import ECKey

LIFETIME_S = 300


def issue(key: ECKey, *, issuer: str, client_id: str, user: str, nonce: str, scopes: tuple[str, ...]) -> str:
    """An ES384 id_token for ``user`` (``Practitioner/{id}``), whom ``fhirUser`` names by full URL."""
    now = int(time.time())
    claims = {"iss": issuer, "sub": user.partition("/")[2], "aud": client_id, "iat": now, "exp": now + LIFETIME_S}
    if nonce:
        claims["nonce"] = nonce
    if "fhirUser" in scopes:
        claims["fhirUser"] = f"{issuer}/{user}"
    if "profile" in scopes:
        claims["profile"] = f"{issuer}/{user}"
    return jwt.encode({"alg": "ES384", "kid": key.kid}, claims, key, algorithms=["ES384"])
