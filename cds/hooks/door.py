"""Who may come in: the clients that we trust, as often as they may; whoever may not is in the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cds.audit.balp import Party
from cds.audit.trail import UNKNOWN_CALLER, OnBehalf, Trail
from cds.errors import RequestError, Unauthenticated
from cds.hooks.client_auth import Client, ClientAuthentication
from cds.reporting.record import Record
from cds.store.rate_limit import Counts, Exceeded, RateLimit, failures_limit, network
from cds.turns import Turns

AT_ONCE, ANYWAY_S = 2, 0.05
"""Calls are admitted so many at once; one that has waited so long does not wait for a Valkey that hangs."""


class Door:
    """Stands before every call to the hooks."""

    def __init__(
        self, us: Party, clients: ClientAuthentication, counts: Counts, record: Record, *, rate_per_minute: int
    ) -> None:
        self._us = us
        self._clients = clients
        self._record = record
        self._calls = RateLimit(counts, "issuer", rate_per_minute)
        self._failures = failures_limit(counts, rate_per_minute)
        self._turns = Turns(AT_ONCE, ANYWAY_S)

    @contextmanager
    def admitted(self, authorization: str | None, path: str, address: str | None) -> Iterator[Client]:
        """The client that calls ``path``; else :class:`Unauthenticated` or :class:`TooManyRequests`.

        What it is refused within the context is in the audit trail of its tenant.
        """
        service = path.removeprefix("/cds-services/").removeprefix("/api/v1/")
        with self._turns.one():
            client = self._admit(authorization, path, service, address)
        try:
            yield client
        except RequestError as refusal:
            # Its calls are counted: it cannot write more refusals than it may make calls.
            self._audit(client.tenant, client.registration.issuer, service, refusal)
            raise

    def _admit(self, authorization: str | None, path: str, service: str, address: str | None) -> Client:
        try:
            # The address that the EHR called is the one we are known by, whatever the Host header says.
            client = self._clients.client(authorization, self._us.address + path)
        except Unauthenticated as refusal:
            self._refuse(refusal, service, address)
            raise
        issuer = client.registration.issuer
        try:
            self._calls.check(issuer)
        except Exceeded as exceeded:
            self._audit_first(exceeded, client.tenant, issuer, service)
            raise
        return client

    def _refuse(self, refusal: Unauthenticated, service: str, address: str | None) -> None:
        """Only what failed is counted by address: whoever shares it with an attacker still gets in."""
        caller = address or "unknown"
        try:
            self._failures.check(network(address))
        except Exceeded as exceeded:
            self._audit_first(exceeded, UNKNOWN_CALLER, caller, service)
            raise
        self._audit(UNKNOWN_CALLER, caller, service, refusal)

    def _audit_first(self, exceeded: Exceeded, tenant: str, caller: str, service: str) -> None:
        """The rest of the minute would only fill the trail."""
        if exceeded.first:
            self._audit(tenant, caller, service, exceeded)

    def _audit(self, tenant: str, caller: str, service: str, refusal: Exception) -> None:
        trail = Trail(self._us, OnBehalf())
        trail.hook_refused(caller, service, str(refusal))
        self._record.audit(tenant, trail)
