"""The worker's construction, from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx

from cds import logs
from cds.audit import balp, chain
from cds.audit.balp import Exchange, Party
from cds.audit.trail import party
from cds.ehr.backend_services import BackendServices
from cds.ehr.write_back import Delivered
from cds.production import checked
from cds.reporting.record import Record
from cds.settings import Settings
from cds.store.database import Connection, Database
from cds.store.outbox import Delivery
from cds.worker import app
from cds.worker.delivery import Deliverer


def run(settings: Settings) -> None:
    """Deliver what the outbox holds until told to stop."""
    logs.configure(settings.log_level)
    with deliverer(settings) as delivering:
        app.run(app.create_app(settings.database_url, delivering))


@contextmanager
def deliverer(settings: Settings) -> Iterator[Deliverer]:
    """What delivers, with its own connections."""
    keys, registrations = checked(settings)
    timeout_s = settings.upstream_timeout_ms / 1000
    with (
        closing(Database(settings.database_url)) as database,
        httpx.Client(timeout=timeout_s, trust_env=False) as http,
    ):
        tokens = BackendServices(http, keys, on_token=Record(database).token_requested)
        audited = _Audited(party(settings.base_url))
        yield Deliverer(database, registrations, http, tokens, timeout_s, on_delivered=audited)


class _Audited:
    """A delivery that the EHR took is a PatientCreate, written in the transaction that marks it delivered."""

    def __init__(self, us: Party) -> None:
        self._us = us

    def __call__(self, connection: Connection, tenant: str, delivery: Delivery, delivered: Delivered) -> None:
        server = Party(delivery.destination, delivery.destination)
        exchange = Exchange(self._us, server, self._us)
        created = [
            balp.patient_create(exchange, patient, report)
            for report in delivered.of_type("DiagnosticReport")
            for patient in _subjects(delivery)
        ]
        chain.append_many(connection, tenant, created)


def _subjects(delivery: Delivery) -> set[str]:
    reports = (
        entry["resource"]
        for entry in delivery.payload["entry"]
        if entry["resource"]["resourceType"] == "DiagnosticReport"
    )
    return {report["subject"]["reference"] for report in reports}
