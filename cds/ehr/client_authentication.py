"""Who we are at an authorization server's endpoints: ``private_key_jwt``, or ``client_secret_basic`` where that is
all that an EHR has.

SMART App Launch 2.2, client-confidential-asymmetric.html and client-confidential-symmetric.html; RFC 7523;
RFC 6749, 2.3.1.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Collection, Mapping
from urllib.parse import quote_plus

import httpx
from joserfc import jwt

from cds.keys import Keys
from cds.registration import Registration

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S = 240
"""At most five minutes are allowed ("Authentication JWT Claims": ``exp``)."""


def authenticated(
    keys: Keys,
    registration: Registration,
    endpoint: str,
    form: Mapping[str, str],
    algorithms: Collection[str],
    now: float,
) -> httpx.Request:
    """``form`` as a POST to ``endpoint``, from the registration's client and in the way that it is registered.

    ``algorithms`` are those that the server lists for assertions; an empty collection where it lists none.
    """
    headers = {"Accept": "application/json"}
    if registration.client_secret_variable:
        headers["Authorization"] = _basic(registration)
        return httpx.Request("POST", endpoint, data=dict(form), headers=headers)
    assertion = _assertion(keys, registration.client_id, endpoint, algorithms, now)
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return httpx.Request("POST", endpoint, data={**form, **proof}, headers=headers)


def _assertion(keys: Keys, client_id: str, endpoint: str, algorithms: Collection[str], now: float) -> str:
    key = keys.signing.signer(algorithms, now)
    header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": endpoint,
        "iat": int(now),
        "exp": int(now) + ASSERTION_LIFETIME_S,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(header, claims, key, algorithms=[str(key.alg)])


def _basic(registration: Registration) -> str:
    """Both parts are form-encoded before they are joined (RFC 6749, 2.3.1)."""
    parts = map(quote_plus, (registration.client_id, registration.client_secret()))
    return f"Basic {base64.b64encode(':'.join(parts).encode()).decode()}"
