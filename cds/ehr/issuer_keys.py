"""The public keys of an issuer: pinned, or at the one URL that is registered. A ``jku`` is never followed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, cast

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from cds.ehr.datatypes import Resource, elements
from cds.ehr.smart_configuration import fetch_document
from cds.errors import BadAnswer

FRESH_S = 3600.0
RETRY_S = 30.0
"""An unknown ``kid`` refreshes the set, but no oftener than this."""


class IssuerKeys:
    """Fetches a key set (RFC 7517) once an hour, and once more for an unknown ``kid``."""

    def __init__(self, http: httpx.Client, *, timeout_s: float = 5.0) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, Resource]] = {}

    def of(self, pinned: Mapping[str, Any] | None, url: str | None, kid: str | None) -> KeySet:
        """The EC and RSA keys; raises :class:`~cds.errors.UpstreamError` where they cannot be had."""
        published = pinned if pinned else self._fetched(url or "", kid)
        keys = [key for key in elements(dict(published), "keys") if key.get("kty") in ("RSA", "EC")]
        try:
            return KeySet.import_key_set(cast(KeySetSerialization, {"keys": keys}))
        except (JoseError, ValueError, TypeError, KeyError):
            raise BadAnswer("the issuer's keys cannot be read") from None

    def _fetched(self, url: str, kid: str | None) -> Resource:
        with self._lock:
            fetched, held = self._held.get(url, (0.0, {}))
            age = time.monotonic() - fetched
            known = any(key.get("kid") == kid for key in elements(held, "keys"))
            if not fetched or age > FRESH_S or (not known and age > RETRY_S):
                held = fetch_document(self._http, url, "the issuer's key set", self._timeout_s)
                self._held[url] = (time.monotonic(), held)
            return held
