"""Client authentication at the token endpoint: SMART's private_key_jwt (RFC 7523 §2.2 and §3), or a secret.

A client that has keys must use them; only one registered with a secret may send one (RFC 6749 §2.3.1), only one
registered with neither may come without.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote_plus

import httpx
from flask import Request
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from cds.errors import UpstreamError
from cds.sandbox import bounded
from cds.sandbox.clients import Client, Clients
from cds.sandbox.handles import Clock, Handles
from cds.sandbox.oauth.errors import InvalidClient, OAuthError
from cds.sandbox.oauth.parameters import check

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION_S = 300
LEEWAY_S = 10
MAX_JWKS_BYTES = 256 * 1024


class ClientKeys:
    """The keys of the clients: pinned at registration, else fetched from the one URL registered, and cached."""

    def __init__(self, http: httpx.Client, *, max_age: float = 300, clock: Clock = time.time) -> None:
        self._http = http
        self._cached: Handles[KeySet] = Handles(max_age, clock=clock)
        self._just_fetched: Handles[bool] = Handles(5, clock=clock)

    def of(self, client: Client, kid: str) -> KeySet:
        """The client's public keys, fetched anew (at most every 5 s) where none is named ``kid``."""
        if client.jwks is not None:
            return KeySet.import_key_set(cast(KeySetSerialization, client.jwks))
        keys = self._cached.get(client.id)
        if (keys is None or not _has(keys, kid)) and self._just_fetched.keep(client.id, True):
            keys = self._fetch(client)
            self._cached.take(client.id)
            self._cached.keep(client.id, keys)
        if keys is None:
            raise InvalidClient("the client's keys could not be fetched")
        return keys

    def _fetch(self, client: Client) -> KeySet:
        try:
            with self._http.stream("GET", client.jwks_url, follow_redirects=False) as response:
                response.raise_for_status()
                published = json.loads(bounded.read(response, limit=MAX_JWKS_BYTES, seconds=5))
            return KeySet.import_key_set(published)
        except (httpx.HTTPError, UpstreamError, ValueError, TypeError, KeyError, JoseError):
            raise InvalidClient("the client's keys could not be fetched from its jwks_url") from None


def _has(keys: KeySet, kid: str) -> bool:
    return any(key.kid == kid for key in keys.keys)


class ClientAuthentication:
    """Who is asking. ``audiences`` are the URLs by which an assertion may mean us."""

    def __init__(
        self, clients: Clients, keys: ClientKeys, audiences: tuple[str, ...], *, clock: Clock = time.time
    ) -> None:
        self._clients = clients
        self._keys = keys
        self._audiences = audiences
        self._clock = clock
        self._seen: Handles[bool] = Handles(LONGEST_ASSERTION_S + LEEWAY_S, clock=clock)

    def authenticate(self, request: Request) -> Client:
        """The client whose request this is, else :class:`InvalidClient`."""
        check(request.form)
        assertion = request.form.get("client_assertion")
        if assertion is None and request.authorization is None:
            return self._public(request.form.get("client_id", ""))
        if assertion is None:
            return self._by_secret(request)
        if request.authorization is not None:
            raise OAuthError("invalid_request", "authenticate in one way, not in two")
        if request.form.get("client_assertion_type") != ASSERTION_TYPE:
            raise InvalidClient(f"client_assertion_type must be {ASSERTION_TYPE}")
        return self._by_assertion(assertion, request.form.get("client_id"))

    def _public(self, client_id: str) -> Client:
        """One that has nothing to show: what it may do hangs on the code verifier alone."""
        client = self._clients.get(client_id)
        if client is None or not client.public:
            raise InvalidClient("the request carries no client authentication")
        return client

    def _by_secret(self, request: Request) -> Client:
        basic = request.authorization
        if basic is None or basic.type != "basic":
            raise InvalidClient("the request carries no client authentication")
        client = self._clients.get(unquote_plus(basic.username or ""))
        secret = unquote_plus(basic.password or "")
        if client is None or not client.secret or not hmac.compare_digest(client.secret.encode(), secret.encode()):
            raise InvalidClient("the client is unknown or its secret is wrong")
        return client

    def _by_assertion(self, assertion: str, client_id: str | None) -> Client:
        header, claims = _unverified(assertion)
        client = self._clients.get(str(claims.get("sub")))
        if client is None or not (client.jwks or client.jwks_url):
            raise InvalidClient("the assertion names no client with registered keys")
        if client_id not in (None, client.id):
            raise InvalidClient("client_id is not the subject of the assertion")
        if header.get("typ") != "JWT" or not isinstance(header.get("kid"), str):
            raise InvalidClient("the assertion's header needs typ JWT and a kid")
        if header.get("jku", client.jwks_url) != client.jwks_url:
            raise InvalidClient("the assertion's jku is not the registered one")
        self._verify(assertion, client, header["kid"])
        return client

    def _verify(self, assertion: str, client: Client, kid: str) -> None:
        keys = self._keys.of(client, kid)
        if not _has(keys, kid):
            raise InvalidClient("the client has no key of that kid")
        try:
            claims = jwt.decode(assertion, keys, algorithms=list(client.algorithms)).claims
        except (JoseError, ValueError):
            raise InvalidClient("the assertion's signature does not verify") from None
        self._check(claims, client)

    def _check(self, claims: Mapping[str, Any], client: Client) -> None:
        """RFC 7523 §3, with SMART's five minutes and one use."""
        now = self._clock()
        expires, jti = claims.get("exp"), claims.get("jti")
        if claims.get("iss") != client.id:
            raise InvalidClient("iss and sub must both be the client_id")
        if not set(_as_list(claims.get("aud"))) & set(self._audiences):
            raise InvalidClient("aud must be this token endpoint's URL")
        if not isinstance(expires, int | float) or expires <= now - LEEWAY_S:
            raise InvalidClient("the assertion is expired, or has no exp")
        if expires > now + LONGEST_ASSERTION_S + LEEWAY_S:
            raise InvalidClient("exp must be no more than five minutes ahead")
        if not isinstance(jti, str) or not 0 < len(jti) <= 256:
            raise InvalidClient("the assertion has no usable jti")
        if not self._seen.keep(f"{client.id} {jti}", True, until=expires + LEEWAY_S):
            raise InvalidClient("the assertion was used before")


def _unverified(assertion: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims, only to learn whose key to verify with."""
    try:
        parts = jws.extract_compact(assertion.encode("ascii"))
        claims = json.loads(parts.payload)
    except (JoseError, ValueError):
        raise InvalidClient("client_assertion is not a JWT") from None
    if not isinstance(claims, dict):
        raise InvalidClient("client_assertion is not a JWT")
    return parts.headers(), claims


def _as_list(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
