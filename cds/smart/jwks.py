"""Our public keys, with which EHRs verify our assertions.

SMART App Launch 2.2, client-confidential-asymmetric.html, "Registering a client"; RFC 7517, 5.
"""

from __future__ import annotations

import time

from flask import Response, jsonify

from cds.keys import Keys

MAX_AGE_S = 3600
"""How long others may keep them: far less than a key is published before it signs."""


class PublicKeys:
    """``GET /.well-known/jwks.json``"""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def __call__(self) -> Response:
        response = jsonify(self._keys.signing.published(time.time()))
        response.headers["Cache-Control"] = f"public, max-age={MAX_AGE_S}"
        return response
