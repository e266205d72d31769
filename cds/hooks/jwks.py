"""The keys of an issuer: pinned in its registration, or at its allow-listed URL. A ``jku`` is never followed."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from cds.ehr.exchange import check, exchange, read_object
from cds.errors import BadAnswer, Unreachable, UpstreamError
from cds.registration import Registration

_FRESH_S = 3600
_KEPT_S = 24 * 3600
"""So long keys serve while their URL is away."""
_RETRY_S = 30
"""An unknown ``kid``, or a URL that is away, is asked about again, but no oftener than this."""
_TIMEOUT_S = 5.0
_MAX_BYTES = 256 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Published:
    """What a URL gave, and when it was asked (monotonic seconds)."""

    keys: Sequence[Key] = ()
    fetched: float = -math.inf
    asked: float = -math.inf

    def is_due(self, kid: str) -> bool:
        now = time.monotonic()
        wanted = now - self.fetched > _FRESH_S or all(key.kid != kid for key in self.keys)
        return wanted and now - self.asked > _RETRY_S


class Jwks:
    """Holds keys parsed: pinned ones for good, published ones for an hour or until a ``kid`` is unknown."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._pinned: dict[str, Sequence[Key]] = {}
        self._published: dict[str, _Published] = {}
        self._asking: dict[str, threading.Lock] = {}

    def keys(self, registration: Registration, kid: str) -> Sequence[Key]:
        """The issuer's keys, ``kid`` among them if it is known; raises :class:`UpstreamError`."""
        if registration.jwks:
            if registration.issuer not in self._pinned:
                self._pinned[registration.issuer] = _parsed(registration.jwks)
            return self._pinned[registration.issuer]
        if not registration.jwks_url:
            raise BadAnswer("the registration names no keys")
        return self._of(registration.jwks_url, kid)

    def _of(self, url: str, kid: str) -> Sequence[Key]:
        held = self._published.get(url, _Published())
        if held.is_due(kid):
            # One asks; whoever needs the same URL waits for it, and nobody else does.
            with self._asking.setdefault(url, threading.Lock()):
                held = self._published.get(url, held)
                if held.is_due(kid):
                    held = self._published[url] = self._refreshed(url, held)
        if time.monotonic() - held.fetched > _KEPT_S:
            raise Unreachable("the issuer's keys cannot be had")
        return held.keys

    def _refreshed(self, url: str, held: _Published) -> _Published:
        request = self._http.build_request("GET", url, headers={"Accept": "application/json"})
        try:
            response = exchange(self._http, request, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES)
            keys = _parsed(read_object(check(response, "fetching keys")))
        except UpstreamError as failure:
            _log.warning("the keys at %s cannot be had: %s", url, failure)
            return replace(held, asked=time.monotonic())
        return _Published(keys, fetched=time.monotonic(), asked=time.monotonic())


def _parsed(jwks: Mapping[str, Any]) -> list[Key]:
    """The keys of a JWK Set (RFC 7517 §5), those that we cannot use left out."""
    listed = jwks.get("keys")
    if not isinstance(listed, list):
        raise BadAnswer("that is no JWK Set")
    return list(_usable(entry for entry in listed if isinstance(entry, dict)))


def _usable(listed: Iterable[dict[str, Any]]) -> Iterable[Key]:
    for entry in listed:
        try:
            key = import_key(entry)
            key.check_use("sig")
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        yield key
