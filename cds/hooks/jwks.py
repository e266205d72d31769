"""The keys of an issuer: pinned in its registration, or at its allow-listed URL. A ``jku`` is never followed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from cds.errors import BadAnswer, Unreachable
from cds.registration import Registration

_FRESH_S = 3600
_RETRY_S = 30
"""An unknown ``kid`` refreshes the set, but no oftener than this."""
_MAX_BYTES = 256 * 1024


class Jwks:
    """Fetches a registered JWKS once an hour, and once more for an unknown ``kid``."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def keys(self, registration: Registration, kid: str) -> Mapping[str, Any]:
        """A JWKS (RFC 7517 §5); raises :class:`Unreachable` or :class:`BadAnswer`."""
        if registration.jwks:
            return registration.jwks
        url = registration.jwks_url
        if not url:
            raise BadAnswer("the registration names no keys")
        with self._lock:
            fetched, held = self._held.get(url, (0.0, {"keys": []}))
            known = any(key.get("kid") == kid for key in held["keys"])
            age = time.monotonic() - fetched
            if not fetched or age > _FRESH_S or (not known and age > _RETRY_S):
                held = self._fetch(url)
                self._held[url] = (time.monotonic(), held)
            return held

    def _fetch(self, url: str) -> Mapping[str, Any]:
        try:
            answer = self._http.get(url, headers={"Accept": "application/json"}, follow_redirects=False)
        except httpx.HTTPError:
            raise Unreachable("the issuer's keys cannot be fetched") from None
        if answer.status_code != 200 or len(answer.content) > _MAX_BYTES:
            raise BadAnswer("the issuer's keys cannot be fetched")
        try:
            keys = orjson.loads(answer.content)["keys"]
        except (ValueError, KeyError, TypeError):
            raise BadAnswer("the issuer's keys cannot be read") from None
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise BadAnswer("the issuer's keys cannot be read")
        return {"keys": keys}
