"""What the EHR's authorization server is and can do (SMART App Launch 2.2, conformance.html, "Metadata")."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from cds.ehr.datatypes import Resource, string
from cds.ehr.exchange import check, exchange, read_object
from cds.errors import BadAnswer, NotAllowed, Unreachable, UpstreamError
from cds.registration import Registration

MAX_DOCUMENT_BYTES = 256 * 1024
KEPT_S = 3600


@dataclass(frozen=True, slots=True)
class SmartConfiguration:
    """The document at ``[base]/.well-known/smart-configuration`` of one registered EHR."""

    registration: Registration
    base: str
    document: Resource

    @property
    def issuer(self) -> str:
        """Who signs id_tokens; empty for a server without ``sso-openid-connect``."""
        return string(self.document, "issuer")

    def endpoint(self, name: str) -> str:
        """The absolute URL in ``name``; relative ones are of the FHIR base.

        Raises :class:`BadAnswer` where there is none, :class:`NotAllowed` on a host that is not registered.
        """
        words = name.replace("_", " ")
        try:
            url = urljoin(f"{self.base}/", string(self.document, name))
            named = url != f"{self.base}/" and not httpx.URL(url).fragment
        except (ValueError, httpx.InvalidURL):
            named = False
        if not named:
            raise BadAnswer(f"the SMART configuration names no usable {words}")
        if not self.registration.allows_oauth(url):
            raise NotAllowed(f"the {words} is not on a host registered for this EHR")
        return url

    def listed(self, name: str) -> frozenset[str]:
        """The strings in the list ``name``; empty where the server does not say."""
        values = self.document.get(name)
        return frozenset(v for v in values if isinstance(v, str)) if isinstance(values, list) else frozenset()


class Discovery:
    """The SMART configuration of each FHIR server, kept for an hour. Safe for many threads."""

    def __init__(
        self, http: httpx.Client, *, timeout_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._clock = clock
        self._held: dict[str, tuple[float, Resource]] = {}
        self._asking: dict[str, threading.Lock] = {}

    def of(self, registration: Registration, base: str) -> SmartConfiguration:
        """That of the FHIR server ``base``, which must be the registration's, else :class:`NotAllowed`."""
        server = registration.fhir_server(base)
        # Who needs the same server's waits for whoever asks, and nobody else does.
        asking = self._asking.setdefault(server, threading.Lock())
        if not asking.acquire(timeout=2 * self._timeout_s):
            raise Unreachable("the SMART configuration was not there in time")
        try:
            return SmartConfiguration(registration, server, self._document(server))
        finally:
            asking.release()

    def _document(self, server: str) -> Resource:
        until, document = self._held.get(server, (0.0, {}))
        if until <= self._clock():
            url = f"{server}/.well-known/smart-configuration"
            document = fetch_document(self._http, url, "the SMART configuration", self._timeout_s)
            self._held[server] = (self._clock() + KEPT_S, document)
        return document

    @contextmanager
    def used(self, registration: Registration, base: str) -> Iterator[SmartConfiguration]:
        """The same; where what is done with it fails upstream it is asked for again next time."""
        configuration = self.of(registration, base)
        try:
            yield configuration
        except UpstreamError:
            self.forget(configuration.base)
            raise

    def forget(self, base: str) -> None:
        """Ask for it again next time: it was of no use."""
        self._held.pop(base, None)


def fetch_document(http: httpx.Client, url: str, what: str, timeout_s: float) -> Resource:
    """A public JSON object at ``url``, which the caller has found to be allowed."""
    request = httpx.Request("GET", url, headers={"Accept": "application/json"})
    return read_object(check(exchange(http, request, timeout_s=timeout_s, max_bytes=MAX_DOCUMENT_BYTES), what))
