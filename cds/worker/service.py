"""The worker's construction, from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import httpx

from cds import logs
from cds.audit import balp, chain
from cds.audit.balp import Exchange, Party
from cds.audit.trail import party
from cds.bulkhead import Bulkhead
from cds.charts import Charts
from cds.ehr.backend_services import BackendServices
from cds.ehr.smart_configuration import Discovery
from cds.ehr.write_back import Delivered
from cds.engine.active import in_use
from cds.engine.process.client import EngineProcess
from cds.fusion.late import LateFusion
from cds.inference.engine import Engine, Models
from cds.inference.socket import socket_of
from cds.keys import Keys
from cds.pacs import PacsAccess, transports
from cds.prescreen import Prescreening
from cds.priority import give_way
from cds.production import checked
from cds.reporting.pacs import ResultsForPacs
from cds.reporting.record import Record
from cds.settings import Settings
from cds.store import master_key, outbox
from cds.store.database import Connection, Database
from cds.store.once import Once
from cds.store.outbox import Delivery
from cds.store.sealing import Keyring
from cds.store.valkey import Valkey
from cds.transport import Transport
from cds.worker import app, audit_repository
from cds.worker.app import CONCURRENCY
from cds.worker.audit_feed import AuditFeed
from cds.worker.checkpoints import Checkpoints
from cds.worker.delivery import Deliverer, Handle
from cds.worker.finishing import Finisher
from cds.worker.pacs import PacsDelivery, ToPacs
from cds.worker.pacs_rejection import Rejecting
from cds.worker.report import Reporter

REQUESTS = 4 * CONCURRENCY
"""To EHRs, at once, for the prescreens that are being finished."""
NICER = 5
"""Less than the engine's processes are: on a busy machine a worker that gives way to everybody is never done."""


def run(settings: Settings) -> None:
    """Deliver what the outbox holds until told to stop."""
    # Nobody waits for a delivery: whoever answers, and whoever computes for that, comes first.
    give_way(NICER)
    logs.configure(settings.log_level)
    with ExitStack() as opened:
        delivering = opened.enter_context(deliverer(settings))
        signing = Checkpoints(delivering.database, Keys.load(settings).signing.all)
        repositories = opened.enter_context(audit_repository.opened(settings, delivering.registrations))
        feed = AuditFeed(delivering.database, repositories)
        app.run(app.create_app(settings.database_url, delivering, hourly=[signing], feed=feed))


@contextmanager
def deliverer(settings: Settings) -> Iterator[Deliverer]:
    """What delivers, with its own connections."""
    keys, registrations = checked(settings)
    keyring = Keyring(master_key.from_settings(settings, keys))
    timeout_s = settings.upstream_timeout_ms / 1000
    with (
        closing(Database(settings.database_url, keyring)) as database,
        httpx.Client(
            timeout=timeout_s, trust_env=False, transport=Transport(), mounts=transports(registrations)
        ) as http,
        ThreadPoolExecutor(REQUESTS, "request") as requests,
        ThreadPoolExecutor(CONCURRENCY, "image") as images,
        ThreadPoolExecutor(CONCURRENCY, "notes") as notes,
    ):
        us, record = party(settings.base_url), Record(database)
        ehrs = Discovery(http, timeout_s=timeout_s)
        tokens = BackendServices(http, keys, ehrs, on_token=record.token_requested)
        access = PacsAccess(http, tokens, settings.max_image_bytes, timeout_s)
        models = Models.in_use(settings)
        engine = Engine(models, EngineProcess(socket_of(settings), models.digests))
        to_pacs = ToPacs(registrations, record.standing, access, engine)
        prescreen = Prescreening(
            engine,
            LateFusion.from_bundle(in_use(settings, "fusion")),
            record,
            secret=keys.pseudonym,
            once=Once(Valkey(settings.redis_url)),
            places=Bulkhead(CONCURRENCY),
            images=images,
            notes=notes,
        )
        charts = Charts(http, access, tokens, requests, settings.note_lookback_days, settings.max_notes)
        handlers: dict[str, Handle] = {
            outbox.PRESCREEN: Finisher(registrations, prescreen, charts, record, us),
            outbox.REPORT: Reporter(record, us, ResultsForPacs(registrations)),
            outbox.DICOM_RESULTS: PacsDelivery(record, us, to_pacs),
            outbox.DICOM_REJECTION: PacsDelivery(record, us, Rejecting(registrations, record.by_id, access)),
        }
        yield Deliverer(database, registrations, http, tokens, timeout_s, _Audited(us), handlers)


class _Audited:
    """What the EHR took is a PatientCreate or PatientUpdate, in the transaction that marks it delivered."""

    def __init__(self, us: Party) -> None:
        self._us = us

    def __call__(self, connection: Connection, tenant: str, delivery: Delivery, delivered: Delivered) -> None:
        server = Party(delivery.destination, delivery.destination)
        exchange = Exchange(self._us, server, self._us)
        happened = balp.patient_create if delivery.kind == outbox.FHIR_RESULTS else balp.patient_update
        type_ = "Observation" if delivery.kind == outbox.FHIR_OPINION else "DiagnosticReport"
        events = [
            happened(exchange, patient, reference)
            for reference in delivered.of_type(type_)
            for patient in _subjects(delivery, type_)
        ]
        chain.append_many(connection, tenant, events)


def _subjects(delivery: Delivery, type_: str) -> set[str]:
    resources = (entry["resource"] for entry in delivery.payload["entry"])
    return {one["subject"]["reference"] for one in resources if one["resourceType"] == type_}
