"""Access tokens (RFC 6750): JWTs verified with the issuer's keys (RFC 9068), or introspection (RFC 7662).

The issuer must be registered before anything is asked of anybody. Reasons are for the audit trail alone.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode

from cds.ehr.client_authentication import authenticated
from cds.ehr.exchange import check, exchange, read_object
from cds.ehr.issuer_keys import IssuerKeys
from cds.errors import Unauthenticated, UpstreamError
from cds.fhir import scopes
from cds.fhir.access import Access
from cds.keys import Keys
from cds.registration import AccessTokens, Registration, Registrations

MAX_CHARACTERS = 8 * 1024
MAX_ANSWER_BYTES = 64 * 1024
LEEWAY_S = 30
REMEMBERED_S = 30.0
"""How long an introspection holds: a token revoked is refused so much later at most."""
MAX_REMEMBERED = 10_000

Claims = Mapping[str, Any]


class Tokens:
    """Verifies what comes as ``Authorization: Bearer``, for the audience ``base``."""

    def __init__(
        self,
        registrations: Registrations,
        http: httpx.Client,
        keys: Keys,
        issuer_keys: IssuerKeys,
        base: str,
    ) -> None:
        self._registrations = registrations
        self._http = http
        self._keys = keys
        self._base = base
        self._issuer_keys = issuer_keys
        self._remembered = _Remembered()

    def access(self, authorization: str | None) -> Access:
        """Raises :class:`Unauthenticated` unless a registered issuer vouches for the token, for us, now."""
        token = _bearer(authorization)
        header, claims = _unverified(token)
        registration, given = self._issuer(claims)
        if given.introspection_url:
            claims = self._introspected(token, registration, given)
        else:
            claims = self._verified(token, header, given)
        _check(claims, given.issuer, self._base)
        return self._access(claims, registration, given)

    def _issuer(self, claims: Claims) -> tuple[Registration, AccessTokens]:
        """Who is to vouch: by ``iss``; for an opaque token the one EHR that introspects: no other may see it."""
        issuer = claims.get("iss")
        if isinstance(issuer, str):
            found = self._registrations.by_token_issuer(issuer)
        else:
            asked = [r for r in self._registrations if r.access_tokens and r.access_tokens.introspection_url]
            found = asked[0] if len(asked) == 1 else None
        if found is None or found.access_tokens is None:
            raise Unauthenticated("the token's issuer is not registered")
        return found, found.access_tokens

    def _verified(self, token: str, header: Claims, given: AccessTokens) -> Claims:
        if header.get("typ", "JWT").lower() not in ("jwt", "at+jwt", "application/at+jwt"):
            raise Unauthenticated("the token is not an access token")
        kid = header.get("kid")
        try:
            keys = self._issuer_keys.of(given.jwks, given.jwks_url, kid if isinstance(kid, str) else None)
            return jwt.decode(token, KeySet(list(keys)), algorithms=list(given.algorithms)).claims
        except (JoseError, ValueError, TypeError, UpstreamError) as wrong:
            raise Unauthenticated(f"the signature does not hold ({type(wrong).__name__})") from None

    def _introspected(self, token: str, registration: Registration, given: AccessTokens) -> Claims:
        digest = hashlib.sha256(token.encode()).hexdigest()
        if held := self._remembered.get(digest):
            return held
        url = given.introspection_url or ""
        form = {"token": token}
        request = authenticated(self._keys, registration, url, form, given.algorithms, time.time())
        try:
            answer = exchange(self._http, request, timeout_s=5.0, max_bytes=MAX_ANSWER_BYTES)
            claims = read_object(check(answer, "the introspection"))
        except UpstreamError as error:
            raise Unauthenticated(f"the token could not be introspected: {error}") from None
        if claims.get("active") is not True:
            raise Unauthenticated("the token is not active")
        self._remembered.keep(digest, claims)
        return claims

    def _access(self, claims: Claims, registration: Registration, given: AccessTokens) -> Access:
        client = claims.get("client_id", claims.get("azp"))
        subject = claims.get("sub", client)
        if not isinstance(client, str) or not isinstance(subject, str) or not client or not subject:
            raise Unauthenticated("the token names no client, or no subject")
        granted = claims.get("scope", claims.get("scp", ""))
        servers = {url for one in self._registrations.by_tenant(registration.tenant) for url in one.fhir_servers}
        return Access(
            registration=registration,
            issuer=given.issuer,
            subject=subject,
            client_id=client,
            scopes=scopes.parse(" ".join(map(str, granted)) if isinstance(granted, list) else str(granted)),
            patient=_text(claims, "patient") or None,
            fhir_user=_text(claims, "fhirUser"),
            token_id=_text(claims, "jti"),
            sole_server=len(servers) == 1,
        )


class _Remembered:
    """What introspection said, by the digest of the token, for a short while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, Claims]] = {}

    def get(self, digest: str) -> Claims | None:
        with self._lock:
            until, claims = self._held.get(digest, (0.0, {}))
            return claims if until > time.monotonic() else None

    def keep(self, digest: str, claims: Claims) -> None:
        with self._lock:
            if len(self._held) >= MAX_REMEMBERED:
                self._held.clear()
            self._held[digest] = (time.monotonic() + REMEMBERED_S, claims)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("there is no bearer token")
    if len(token) > MAX_CHARACTERS or not token.isascii():
        raise Unauthenticated("the token is too long, or is no token")
    return token


def _unverified(token: str) -> tuple[Claims, Claims]:
    """Header and claims of a JWT, only to learn who is to vouch for it; empty for an opaque token."""
    try:
        header, claims = (json.loads(urlsafe_b64decode(part.encode())) for part in token.split(".")[:2])
    except ValueError:
        return {}, {}
    return (header, claims) if isinstance(header, dict) and isinstance(claims, dict) else ({}, {})


def _check(claims: Claims, issuer: str, base: str) -> None:
    now = time.time()
    if claims.get("iss", issuer) != issuer:
        raise Unauthenticated("the token is another issuer's")
    audience = claims.get("aud")
    if base not in (audience if isinstance(audience, list) else [audience]):
        raise Unauthenticated("the token is for another address")
    if _time(claims, "exp") + LEEWAY_S < now:
        raise Unauthenticated("the token has expired")
    if any(_time(claims, name) - LEEWAY_S > now for name in ("iat", "nbf") if name in claims):
        raise Unauthenticated("the token is from the future")


def _time(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**40:
        raise Unauthenticated(f"{name} is missing or no time")
    return float(value)


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""
