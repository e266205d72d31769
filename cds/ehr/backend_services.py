"""SMART Backend Services (SMART App Launch 2.2, backend-services.html): a token where no user is present.

``client_credentials`` with ``private_key_jwt`` (client-confidential-asymmetric.html; RFC 7523). One token per
registration, FHIR server and scope is kept until shortly before it expires; threads that need it at once wait
for the one that asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx

from cds.ehr.bearer import RenewableBearer
from cds.ehr.smart_configuration import Discovery, SmartConfiguration
from cds.ehr.token_endpoint import request_token
from cds.errors import BadAnswer, Unreachable
from cds.keys import Keys
from cds.registration import Registration

EARLY_S = 20
"""A token is no longer used so long before it expires."""


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


class BackendServices:
    """Access tokens of our own, for every registration.

    ``on_token`` is called after each request to a token endpoint, from the thread that made it.
    """

    def __init__(
        self,
        http: httpx.Client,
        keys: Keys,
        ehrs: Discovery,
        *,
        timeout_s: float = 5.0,
        on_token: Callable[[TokenRequest], None] = lambda request: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._keys = keys
        self._ehrs = ehrs
        self._timeout_s = timeout_s
        self._on_token = on_token
        self._clock = clock
        self._slots: dict[tuple[str, str, str], _Slot] = {}

    def auth(
        self, registration: Registration, base: str, scopes: Iterable[str], *, root: str | None = None
    ) -> httpx.Auth:
        """What puts our token for the FHIR server ``base`` on requests to it, or to its PACS at ``root``.

        Raises :class:`~cds.errors.NotAllowed` where the registration knows neither.
        """
        server = registration.fhir_server(base)
        destination = server if root is None else registration.pacs_for(root).root
        scope = " ".join(scopes)

        def token(refused: str) -> str:
            return self.token(registration, server, scope, other_than=refused)

        return RenewableBearer(token, destination)

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
        with self._ehrs.used(registration, base) as configuration:
            endpoint, token = configuration.endpoint("token_endpoint"), None
            try:
                token = self._request(configuration, scope)
            finally:
                self._on_token(
                    TokenRequest(
                        tenant=registration.tenant,
                        issuer=registration.issuer,
                        fhir_server=base,
                        token_endpoint=endpoint,
                        client_id=registration.client_id,
                        scope=scope,
                        succeeded=token is not None,
                    )
                )
        return token

    def _request(self, configuration: SmartConfiguration, scope: str) -> _Token:
        grant = {"grant_type": "client_credentials", "scope": scope}
        answer = request_token(
            self._http, self._keys, configuration, grant, timeout_s=self._timeout_s, clock=self._clock
        )
        if answer.expires is None:
            raise BadAnswer("the token endpoint's answer does not say when the token expires")
        return _Token(answer.access_token, answer.expires - EARLY_S)
