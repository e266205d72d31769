"""One delivery out of the outbox: claimed, brought to the EHR with a token of our own, and written down.

What is of another kind is claimed here too, and handed to who handles it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from cds.ehr import write_back
from cds.ehr.backend_services import BackendServices
from cds.ehr.datatypes import Resource
from cds.ehr.fhir_client import FhirClient
from cds.ehr.write_back import Delivered
from cds.errors import BadAnswer, SightlineError
from cds.registration import Registrations
from cds.store import outbox
from cds.store.database import Connection, Database
from cds.store.outbox import Delivery

DELIVERY_S = 60.0
"""How long one delivery may take in all: less than :data:`~cds.store.outbox.LEASE`, within which it is ours."""

OnDelivered = Callable[[Connection, str, Delivery, Delivered], None]
"""Called with the connection, the tenant, what was delivered and where it went, before that is committed."""

GivenUp = Callable[[], bool]
"""Whether the worker was told to stop: then no further call is begun, and the delivery is due again later."""
Handle = Callable[[str, Delivery, GivenUp], None]
"""Does what a delivery of the tenant is for, and marks it delivered with what it writes."""


def _nothing(connection: Connection, tenant: str, delivery: Delivery, delivered: Delivered) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Delivers rows of the outbox.

    ``timeout_s`` bounds each call to the EHR. ``on_delivered`` writes in the transaction that marks the row, so
    that what it records is there exactly when the delivery is. ``handlers`` are for kinds that are not brought to
    the EHR's FHIR server, by kind.
    """

    database: Database
    registrations: Registrations
    http: httpx.Client
    tokens: BackendServices
    timeout_s: float = 5.0
    on_delivered: OnDelivered = _nothing
    handlers: Mapping[str, Handle] = field(default_factory=dict)

    def deliver(self, tenant: str, id_: int, given_up: GivenUp = lambda: False) -> None:
        """Try the delivery, if it is due, and write down how it went."""
        with self.database.transaction(tenant) as connection:
            delivery = outbox.claim(connection, tenant, id_)
        if delivery is None:
            return
        handle = self.handlers.get(delivery.kind, self._to_the_ehr)
        try:
            self._check_turn(tenant, delivery)
            handle(tenant, delivery, given_up)
        except (SightlineError, ValueError) as error:
            with self.database.transaction(tenant) as connection:
                outbox.failed(connection, tenant, id_, _plainly(error))

    def defer_due(self) -> None:
        """Add a job for every delivery whose time has come: those whose job was lost are found so."""
        for tenant in sorted({registration.tenant for registration in self.registrations}):
            with self.database.transaction(tenant) as connection:
                for id_ in outbox.due(connection, tenant):
                    outbox.defer(connection, tenant, id_)

    def _to_the_ehr(self, tenant: str, delivery: Delivery, given_up: GivenUp) -> None:
        delivered = self._send(tenant, delivery, given_up)
        with self.database.transaction(tenant) as connection:
            outbox.delivered(connection, tenant, delivery.id)
            self.on_delivered(connection, tenant, delivery, delivered)

    def _check_turn(self, tenant: str, delivery: Delivery) -> None:
        if delivery.kind not in outbox.AMENDED:
            return
        with self.database.transaction(tenant) as connection:
            if outbox.must_wait(connection, tenant, delivery):
                raise BadAnswer("what this amends is still on its way")

    def _send(self, tenant: str, delivery: Delivery, given_up: GivenUp) -> Delivered:
        send, scopes = _way(delivery.kind)
        registration = self.registrations.of_tenant(tenant, delivery.destination)
        auth = self.tokens.auth(registration, delivery.destination, scopes)
        ends = time.monotonic() + DELIVERY_S

        def remaining() -> float:
            return 0.0 if given_up() else min(self.timeout_s, ends - time.monotonic())

        client = FhirClient(self.http, registration, delivery.destination, auth, timeout_s=remaining)
        return send(client, delivery.payload)


def _way(kind: str) -> tuple[Callable[[FhirClient, Resource], Delivered], Sequence[str]]:
    """How a kind of delivery is made, and with which scopes."""
    if kind == outbox.FHIR_RESULTS:
        return write_back.deliver, write_back.SCOPES
    if kind == outbox.FHIR_AMENDMENT:
        return write_back.amend, write_back.AMENDING
    if kind == outbox.FHIR_OPINION:
        return write_back.say, write_back.SAYING
    raise BadAnswer("there is no way to deliver this kind")


def _plainly(error: SightlineError | ValueError) -> str:
    """What the outbox remembers: our own words, and of anything else its name alone."""
    words = str(error) if isinstance(error, SightlineError) else "it cannot be delivered as it is"
    return f"{type(error).__name__}: {words}"
