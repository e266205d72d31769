"""One delivery out of the outbox: claimed, brought to the EHR with a token of our own, and written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from cds.ehr import write_back
from cds.ehr.backend_services import BackendServices
from cds.ehr.datatypes import Resource
from cds.ehr.fhir_client import FhirClient
from cds.ehr.write_back import Delivered
from cds.errors import BadAnswer, NotAllowed, SightlineError
from cds.registration import Registration, Registrations
from cds.store import outbox
from cds.store.database import Connection, Database
from cds.store.outbox import Delivery

DELIVERY_S = 60.0
"""How long one delivery may take in all: less than :data:`~cds.store.outbox.LEASE`, within which it is ours."""

OnDelivered = Callable[[Connection, str, Delivery, Delivered], None]
"""Called with the connection, the tenant, what was delivered and where it went, before that is committed."""


def _nothing(connection: Connection, tenant: str, delivery: Delivery, delivered: Delivered) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Delivers rows of the outbox.

    ``timeout_s`` bounds each call to the EHR. ``on_delivered`` writes in the transaction that marks the row, so
    that what it records is there exactly when the delivery is.
    """

    database: Database
    registrations: Registrations
    http: httpx.Client
    tokens: BackendServices
    timeout_s: float = 5.0
    on_delivered: OnDelivered = _nothing

    def deliver(self, tenant: str, id_: int, given_up: Callable[[], bool] = lambda: False) -> None:
        """Try the delivery, if it is due, and write down how it went.

        Once ``given_up()``, no further call to the EHR is begun; the delivery is then due again after its pause.
        """
        with self.database.transaction(tenant) as connection:
            delivery = outbox.claim(connection, tenant, id_)
        if delivery is None:
            return
        try:
            self._check_turn(tenant, delivery)
            delivered = self._send(tenant, delivery, given_up)
        except (SightlineError, ValueError) as error:
            with self.database.transaction(tenant) as connection:
                outbox.failed(connection, tenant, id_, _plainly(error))
            return
        with self.database.transaction(tenant) as connection:
            outbox.delivered(connection, tenant, id_)
            self.on_delivered(connection, tenant, delivery, delivered)

    def defer_due(self) -> None:
        """Add a job for every delivery whose time has come: those whose job was lost are found so."""
        for tenant in sorted({registration.tenant for registration in self.registrations}):
            with self.database.transaction(tenant) as connection:
                for id_ in outbox.due(connection, tenant):
                    outbox.defer(connection, tenant, id_)

    def _check_turn(self, tenant: str, delivery: Delivery) -> None:
        """An amendment goes after what it amends, whose key stands before the slash in its own, and in turn."""
        amended, slash, _ = delivery.idempotency_key.partition("/")
        if delivery.kind == outbox.FHIR_AMENDMENT and slash:
            with self.database.transaction(tenant) as connection:
                if outbox.is_under_way(connection, tenant, amended, before=delivery.id):
                    raise BadAnswer("what this amends is still on its way")

    def _send(self, tenant: str, delivery: Delivery, given_up: Callable[[], bool]) -> Delivered:
        send, scopes = _way(delivery.kind)
        registration = self._registration(tenant, delivery.destination)
        auth = self.tokens.auth(registration, delivery.destination, scopes)
        ends = time.monotonic() + DELIVERY_S

        def remaining() -> float:
            return 0.0 if given_up() else min(self.timeout_s, ends - time.monotonic())

        client = FhirClient(self.http, registration, delivery.destination, auth, timeout_s=remaining)
        return send(client, delivery.payload)

    def _registration(self, tenant: str, destination: str) -> Registration:
        """The registration of that FHIR server, of this tenant: a tenant's results go to its own EHRs."""
        for registration in self.registrations.by_tenant(tenant):
            if destination.rstrip("/") in registration.fhir_servers:
                return registration
        raise NotAllowed("the FHIR server is registered for no EHR of this tenant")


def _way(kind: str) -> tuple[Callable[[FhirClient, Resource], Delivered], Sequence[str]]:
    """How a kind of delivery is made, and with which scopes."""
    if kind == outbox.FHIR_RESULTS:
        return write_back.deliver, write_back.SCOPES
    if kind == outbox.FHIR_AMENDMENT:
        return write_back.amend, write_back.AMENDING
    raise BadAnswer("there is no way to deliver this kind")


def _plainly(error: SightlineError | ValueError) -> str:
    """What the outbox remembers: our own words, and of anything else its name alone."""
    words = str(error) if isinstance(error, SightlineError) else "the results cannot be delivered as they are"
    return f"{type(error).__name__}: {words}"
