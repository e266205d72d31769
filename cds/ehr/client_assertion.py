"""Who we are at the token endpoint: ``private_key_jwt``.

SMART App Launch 2.2, client-confidential-asymmetric.html; RFC 7523.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from joserfc import jwt
from joserfc.jwk import Key

from cds.keys import Keys

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S = 240
"""At most five minutes are allowed ("Authentication JWT Claims": ``exp``)."""


def client_assertion(
    keys: Keys, client_id: str, token_endpoint: str, algorithms: Collection[str], now: float
) -> dict[str, str]:
    """The two form parameters that authenticate a token request.

    ``algorithms`` are those that the server lists; an empty collection where it lists none.
    """
    key = _signing_key(keys, algorithms)
    header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_endpoint,
        "iat": int(now),
        "exp": int(now) + ASSERTION_LIFETIME_S,
        "jti": str(uuid.uuid4()),
    }
    assertion = jwt.encode(header, claims, key, algorithms=[str(key.alg)])
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def _signing_key(keys: Keys, algorithms: Collection[str]) -> Key:
    """Our first key that the server can verify with; the first of all where it does not say."""
    signing = keys.signing.keys
    return next((key for key in signing if key.alg in algorithms), signing[0])
