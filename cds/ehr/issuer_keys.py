"""The public keys of an issuer: pinned, or at the one URL that is registered. A ``jku`` is never followed."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson
from joserfc.errors import JoseError
from joserfc.jwk import Key, RSAKey, import_key

from cds.ehr.smart_configuration import fetch_document
from cds.errors import BadAnswer, Unreachable, UpstreamError

FRESH_S = 3600
KEPT_S = 24 * 3600
"""So long keys serve while their URL is away."""
RETRY_S = 30
"""An unknown ``kid``, or a URL that is away, is asked about again, but no oftener than this."""
LEAST_RSA_BITS = 2048
"""A shorter key must not be used (RFC 7518 §3.3)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Published:
    """What a URL gave, and when it was asked."""

    keys: Sequence[Key] = ()
    fetched: float = -math.inf
    asked: float = -math.inf

    def is_due(self, kid: str | None, now: float) -> bool:
        unknown = kid is not None and all(key.kid != kid for key in self.keys)
        return (unknown or now - self.fetched > FRESH_S) and now - self.asked > RETRY_S


class IssuerKeys:
    """Holds keys parsed: pinned ones for good, published ones for an hour or until a ``kid`` is unknown.

    ``clock`` counts seconds and never goes back. Safe for many threads.
    """

    def __init__(
        self, http: httpx.Client, *, timeout_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._clock = clock
        self._pinned: dict[bytes, Sequence[Key]] = {}
        self._published: dict[str, _Published] = {}
        self._asking: dict[str, threading.Lock] = {}

    def of(self, pinned: Mapping[str, Any] | None, url: str | None, kid: str | None) -> Sequence[Key]:
        """The EC and RSA keys, ``kid`` among them if it is known.

        Raises :class:`~cds.errors.UpstreamError` where there are none to be had.
        """
        if pinned:
            return self._parsed_once(pinned)
        if not url:
            raise BadAnswer("the registration names no keys")
        return self._at(url, kid)

    def _parsed_once(self, pinned: Mapping[str, Any]) -> Sequence[Key]:
        text = orjson.dumps(pinned)
        if text not in self._pinned:
            self._pinned[text] = _parsed(pinned)
        return self._pinned[text]

    def _at(self, url: str, kid: str | None) -> Sequence[Key]:
        held = self._published.get(url, _Published())
        if held.is_due(kid, self._clock()):
            # One asks; whoever needs the same URL waits for it, and nobody else does.
            with self._asking.setdefault(url, threading.Lock()):
                held = self._published.get(url, held)
                if held.is_due(kid, self._clock()):
                    held = self._published[url] = self._refreshed(url, held)
        if self._clock() - held.fetched > KEPT_S:
            raise Unreachable("the issuer's keys cannot be had")
        return held.keys

    def _refreshed(self, url: str, held: _Published) -> _Published:
        try:
            keys = _parsed(fetch_document(self._http, url, "the issuer's key set", self._timeout_s))
        except UpstreamError as failure:
            log.warning("the keys at %s cannot be had: %s", url, failure)
            return replace(held, asked=self._clock())
        return _Published(keys, fetched=self._clock(), asked=self._clock())


def _parsed(jwks: Mapping[str, Any]) -> list[Key]:
    """The EC and RSA keys of a JWK Set (RFC 7517 §5), those that we cannot use left out."""
    listed = jwks.get("keys")
    if not isinstance(listed, list):
        raise BadAnswer("that is no JWK Set")
    entries = (entry for entry in listed if isinstance(entry, dict))
    return list(_usable(entry for entry in entries if entry.get("kty") in ("EC", "RSA")))


def _usable(listed: Iterable[dict[str, Any]]) -> Iterable[Key]:
    for entry in listed:
        try:
            key = import_key(entry)
            key.check_use("sig")
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if not _is_short(key):
            yield key


def _is_short(key: Key) -> bool:
    return isinstance(key, RSAKey) and key.raw_value.key_size < LEAST_RSA_BITS
