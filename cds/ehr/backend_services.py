"""SMART Backend Services (SMART App Launch 2.2, backend-services.html): a token where no user is present.

``client_credentials`` with ``private_key_jwt`` (client-confidential-asymmetric.html; RFC 7523). One token per
registration, FHIR server and scope is kept until shortly before it expires; threads that need it at once wait
for the one that asks.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from urllib.parse import urljoin

import httpx
from joserfc import jwt
from joserfc.jwk import Key

from cds.ehr.bearer import carry
from cds.ehr.datatypes import Resource, string
from cds.ehr.exchange import check, exchange, read_object
from cds.errors import BadAnswer, NotAllowed, Refused, Unreachable, UpstreamError
from cds.keys import Keys
from cds.registration import Registration

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S = 240
"""At most five minutes are allowed ("Authentication JWT Claims": ``exp``)."""
EARLY_S = 20
"""A token is no longer used so long before it expires."""
DISCOVERY_LIFETIME_S = 3600
MAX_ANSWER_BYTES = 256 * 1024

TOKEN_ERRORS = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant"),
        *("unauthorized_client", "unsupported_grant_type", "invalid_scope"),
    }
)
"""RFC 6749, 5.2. Nothing else that the server says is repeated."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """That we asked for a token, and whether we got it: what IHE ITI-71 wants in the audit trail."""

    tenant: str
    issuer: str
    fhir_server: str
    token_endpoint: str
    client_id: str
    scope: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    expires: float


@dataclass(slots=True)
class _Slot:
    """The token of one registration, server and scope; held under its lock while it is asked for."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: _Token | None = None


@dataclass(frozen=True, slots=True)
class _Discovered:
    token_endpoint: str
    algorithms: frozenset[str]
    until: float


class BackendServices:
    """Access tokens of our own, for every registration.

    ``on_token`` is called after each request to a token endpoint, from the thread that made it.
    """

    def __init__(
        self,
        http: httpx.Client,
        keys: Keys,
        *,
        timeout_s: float = 5.0,
        on_token: Callable[[TokenRequest], None] = lambda request: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._keys = keys
        self._timeout_s = timeout_s
        self._on_token = on_token
        self._clock = clock
        self._slots: dict[tuple[str, str, str], _Slot] = {}
        self._discovered: dict[str, _Discovered] = {}

    def auth(
        self, registration: Registration, base: str, scopes: Iterable[str], *, root: str | None = None
    ) -> httpx.Auth:
        """What puts our token for the FHIR server ``base`` on requests to it, or to its PACS at ``root``.

        Raises :class:`~cds.errors.NotAllowed` where the registration knows neither.
        """
        server = registration.fhir_server(base)
        destination = server if root is None else registration.pacs_for(root).root
        return _BackendAuth(self, registration, server, " ".join(scopes), destination)

    def token(self, registration: Registration, base: str, scope: str, *, other_than: str = "") -> str:
        """A token that is good for a while yet, and not the one that was just refused."""
        slot = self._slots.setdefault((registration.issuer, base, scope), _Slot())
        if not slot.lock.acquire(timeout=2 * self._timeout_s):
            raise Unreachable("there was no access token in time")
        try:
            held = slot.token
            if held is None or held.value == other_than or held.expires <= self._clock():
                slot.token = None
                held = slot.token = self._ask(registration, base, scope)
            return held.value
        finally:
            slot.lock.release()

    def _ask(self, registration: Registration, base: str, scope: str) -> _Token:
        server = self._discover(registration, base)
        succeeded = False
        try:
            token = self._request(registration, server, scope)
            succeeded = True
        except UpstreamError:
            self._discovered.pop(base, None)
            raise
        finally:
            self._on_token(
                TokenRequest(
                    tenant=registration.tenant,
                    issuer=registration.issuer,
                    fhir_server=base,
                    token_endpoint=server.token_endpoint,
                    client_id=registration.client_id,
                    scope=scope,
                    succeeded=succeeded,
                )
            )
        return token

    def _discover(self, registration: Registration, base: str) -> _Discovered:
        """The token endpoint by ``.well-known/smart-configuration`` (SMART 2.2, conformance.html)."""
        known = self._discovered.get(base)
        if known and known.until > self._clock():
            return known
        url = f"{base}/.well-known/smart-configuration"
        request = httpx.Request("GET", url, headers={"Accept": "application/json"})
        configuration = read_object(check(self._exchange(request), "the SMART configuration"))
        endpoint = urljoin(f"{base}/", string(configuration, "token_endpoint"))
        if endpoint == f"{base}/":
            raise BadAnswer("the SMART configuration names no token endpoint")
        if not registration.allows_oauth(endpoint):
            raise NotAllowed("the token endpoint is not on a host registered for this EHR")
        algorithms = configuration.get("token_endpoint_auth_signing_alg_values_supported")
        listed = frozenset(a for a in algorithms if isinstance(a, str)) if isinstance(algorithms, list) else ()
        found = _Discovered(endpoint, frozenset(listed), self._clock() + DISCOVERY_LIFETIME_S)
        self._discovered[base] = found
        return found

    def _request(self, registration: Registration, server: _Discovered, scope: str) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(registration.client_id, server),
        }
        asked_at = self._clock()
        request = httpx.Request("POST", server.token_endpoint, data=form, headers={"Accept": "application/json"})
        return _read_token(self._exchange(request), asked_at)

    def _assertion(self, client_id: str, server: _Discovered) -> str:
        """The authentication JWT (client-confidential-asymmetric.html, "Authenticating to the Token Endpoint")."""
        key = self._signing_key(server.algorithms)
        now = int(self._clock())
        header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": server.token_endpoint,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME_S,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(header, claims, key, algorithms=[str(key.alg)])

    def _signing_key(self, algorithms: frozenset[str]) -> Key:
        """Our first key that the server can verify with; the first of all where it does not say."""
        keys = self._keys.signing.keys
        return next((key for key in keys if key.alg in algorithms), keys[0])

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        return exchange(self._http, request, timeout_s=self._timeout_s, max_bytes=MAX_ANSWER_BYTES)


class _BackendAuth(httpx.Auth):
    """Our token on requests to ``destination``; where it is refused, a fresh one, once."""

    def __init__(
        self, services: BackendServices, registration: Registration, base: str, scope: str, destination: str
    ) -> None:
        self._services = services
        self._registration = registration
        self._base = base
        self._scope = scope
        self._destination = destination

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._services.token(self._registration, self._base, self._scope)
        carry(request, token, self._destination)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            _discard(response)
            fresh = self._services.token(self._registration, self._base, self._scope, other_than=token)
            carry(request, fresh, self._destination)
            yield request


def _discard(response: httpx.Response) -> None:
    """Hang up, and leave an empty body: httpx would read the whole of it, however long."""
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream.close()
    response.stream = httpx.ByteStream(b"")


def _read_token(response: httpx.Response, asked_at: float) -> _Token:
    """An access token response (RFC 6749, 5.1), or its error (5.2)."""
    if response.status_code in (400, 401, 403):
        raise Refused(f"the token endpoint gave no token{_oauth_error(response)}", status=response.status_code)
    answer = read_object(check(response, "the token request"))
    value, lifetime = string(answer, "access_token"), answer.get("expires_in")
    if not value or string(answer, "token_type").lower() != "bearer":
        raise BadAnswer("the token endpoint's answer holds no bearer token")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float):
        raise BadAnswer("the token endpoint's answer does not say when the token expires")
    return _Token(value, asked_at + lifetime - EARLY_S)


def _oauth_error(response: httpx.Response) -> str:
    try:
        answer: Resource = read_object(response)
    except BadAnswer:
        return ""
    code = string(answer, "error")
    return f" ({code})" if code in TOKEN_ERRORS else ""
