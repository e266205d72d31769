"""Trusting CDS Clients (CDS Hooks 2.0, "Trusting CDS Clients"): who calls, shown by a signed JWT.

The checks stand in the order of the specification; the first that fails ends the call with a bare 401. The
reason is for the audit log alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.util import urlsafe_b64decode

from cds.ehr.issuer_keys import IssuerKeys
from cds.errors import Unauthenticated, UpstreamError
from cds.registration import Registration, Registrations

MAX_JWT_BYTES = 8 * 1024
MAX_LIFETIME_S = 3600
LEEWAY_S = 30

_KEY_TYPES = {"E": "EC", "R": "RSA", "P": "RSA"}


class ReplayMarks(Protocol):
    """Remembers what was seen once, for all workers together."""

    def once(self, key: str, ttl_s: float) -> bool:
        """Whether ``key`` is new; raises :class:`UpstreamError` where that cannot be known."""
        ...


@dataclass(frozen=True, slots=True)
class Client:
    """An EHR that has shown who it is."""

    registration: Registration
    jti: str

    @property
    def tenant(self) -> str:
        return self.registration.tenant


class ClientAuthentication:
    """Checks the ``Authorization`` header of every call to the hooks."""

    def __init__(self, registrations: Registrations, issuer_keys: IssuerKeys, replay: ReplayMarks) -> None:
        self._registrations = registrations
        self._issuer_keys = issuer_keys
        self._replay = replay

    def client(self, authorization: str | None, endpoint: str) -> Client:
        """The registered client that signed for exactly ``endpoint``; else :class:`Unauthenticated`."""
        token = _bearer(authorization)
        header, claims = _unverified(token)
        registration = self._registration(header, claims)
        self._verify_signature(token, header, registration)
        _check_times(claims)
        _check_audience(claims, endpoint)
        _check_tenant(claims, registration)
        return Client(registration, self._check_replay(claims, registration))

    def _registration(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> Registration:
        issuer = claims.get("iss")
        registration = self._registrations.by_issuer(issuer) if isinstance(issuer, str) else None
        if not registration:
            raise Unauthenticated("the issuer is not registered")
        if header.get("alg") not in registration.algorithms:
            raise Unauthenticated("the algorithm is not registered for this issuer")
        # It is never followed: what it may say is what we know.
        if "jku" in header and (header["jku"] is None or header["jku"] != registration.jwks_url):
            raise Unauthenticated("the jku is not registered for this issuer")
        return registration

    def _verify_signature(self, token: str, header: Mapping[str, Any], registration: Registration) -> None:
        key = self._key(header, registration)
        try:
            jws.deserialize_compact(token, key, algorithms=[header["alg"]])
        except (JoseError, ValueError) as wrong:
            raise Unauthenticated(f"the signature does not hold ({type(wrong).__name__})") from None

    def _key(self, header: Mapping[str, Any], registration: Registration) -> Key:
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise Unauthenticated("the header names no key")
        try:
            known = self._issuer_keys.of(registration.jwks, registration.jwks_url, kid)
        except UpstreamError:
            raise Unauthenticated("the issuer's keys cannot be had") from None
        matching = [key for key in known if key.kid == kid]
        if len(matching) != 1:
            raise Unauthenticated("not exactly one key has that kid")
        if matching[0].key_type != _KEY_TYPES[header["alg"][0]]:
            raise Unauthenticated("the key is not of the algorithm's type")
        return matching[0]

    def _check_replay(self, claims: Mapping[str, Any], registration: Registration) -> str:
        jti = claims.get("jti")
        # What cannot be printed, a lone surrogate above all, cannot be a key in Valkey either.
        if not isinstance(jti, str) or not 1 <= len(jti) <= 256 or not jti.isprintable():
            raise Unauthenticated("the jti is missing or no plain text")
        # No jti holds a line end: whatever it is, the mark is of this issuer.
        key = f"jti:{registration.issuer}\n{jti}"
        try:
            new = self._replay.once(key, claims["exp"] - time.time() + 2 * LEEWAY_S)
        except UpstreamError:
            raise Unauthenticated("replay cannot be ruled out while Valkey is away") from None
        if not new:
            raise Unauthenticated("the jti was used before")
        return jti


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("no bearer token")
    if len(token) > MAX_JWT_BYTES:
        raise Unauthenticated("the token is too long")
    return token


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, read before anything in them is believed."""
    parts = token.split(".")
    if len(parts) != 3:
        raise Unauthenticated("the token is not a JWS in compact form")
    try:
        header, claims = (_object_once(urlsafe_b64decode(part.encode())) for part in parts[:2])
    except (ValueError, RecursionError):
        raise Unauthenticated("the token cannot be read") from None
    if header.get("typ") != "JWT" or "crit" in header:
        raise Unauthenticated("the header is not that of a client's JWT")
    return header, claims


def _object_once(raw: bytes) -> dict[str, Any]:
    """A JSON object in which no name stands twice (RFC 8725 §2.4: parsers disagree on duplicates)."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    # Of bytes json would guess the encoding: what is signed is UTF-8 (RFC 7519 §7.2).
    value = json.loads(raw.decode(), object_pairs_hook=unique)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _check_times(claims: Mapping[str, Any]) -> None:
    now, issued, expires = time.time(), _time(claims, "iat"), _time(claims, "exp")
    if expires + LEEWAY_S < now:
        raise Unauthenticated("the token has expired")
    if max(issued, _time(claims, "nbf") if "nbf" in claims else 0) - LEEWAY_S > now:
        raise Unauthenticated("the token is from the future")
    if not 0 < expires - issued <= MAX_LIFETIME_S:
        raise Unauthenticated("the token's lifetime is none, or more than an hour")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**40:
        raise Unauthenticated(f"{name} is missing or no time")
    return float(value)


def _check_audience(claims: Mapping[str, Any], endpoint: str) -> None:
    audience = claims.get("aud")
    if endpoint not in (audience if isinstance(audience, list) else [audience]):
        raise Unauthenticated("the token is for another address")


def _check_tenant(claims: Mapping[str, Any], registration: Registration) -> None:
    if claims.get("tenant", registration.tenant) != registration.tenant:
        raise Unauthenticated("the tenant is not this issuer's")
