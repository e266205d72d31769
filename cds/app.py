"""The application's construction: the whole service on one page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
from flask import Flask

from cds import health, logs, smart
from cds.audit.trail import party
from cds.ehr.backend_services import BackendServices
from cds.engine.bundles import Bundle
from cds.engine.local import LocalEngine
from cds.errors import ConfigurationError
from cds.fusion.late import LateFusion
from cds.hooks import discovery
from cds.hooks import views as hooks
from cds.hooks.call import Answer, Answering, Call
from cds.hooks.chart import Charts
from cds.hooks.client_auth import ClientAuthentication
from cds.hooks.door import Door
from cds.hooks.encounter_start import EncounterStart
from cds.hooks.jwks import Jwks
from cds.hooks.known import KnownFindings
from cds.hooks.order_advice import OrderAdvice
from cds.hooks.order_select import OrderSelect
from cds.hooks.order_sign import OrderSign
from cds.hooks.patient_view import PatientView
from cds.hooks.telling import Telling
from cds.hooks.work_ahead import WorkAhead
from cds.notes.deidentification import Deidentifier
from cds.pacs import PacsAccess
from cds.prescreen import Prescreening
from cds.production import checked
from cds.reporting.record import Record
from cds.settings import Settings
from cds.smart import SmartServices
from cds.store import migrate
from cds.store.database import Database
from cds.store.valkey import Valkey


def create_app(settings: Settings | None = None) -> Flask:
    """Raises a :class:`~cds.errors.SightlineError` of one plain sentence where the service must not start."""
    settings = settings or Settings.from_environment()
    logs.configure(settings.log_level)

    keys, registrations = checked(settings)

    database = Database(settings.database_url, max_size=settings.web_threads + 4)
    if missing := migrate.pending(settings.database_url):
        raise ConfigurationError(f"the database lacks {', '.join(missing)}; run `cds db upgrade`")
    valkey = Valkey(settings.redis_url)
    record = Record(database)

    http = httpx.Client(timeout=settings.upstream_timeout_ms / 1000, trust_env=False)
    backend = BackendServices(http, keys, on_token=record.token_requested)
    pacs = PacsAccess(http, backend, settings.max_image_bytes, settings.upstream_timeout_ms / 1000)

    engine = LocalEngine(
        Bundle.load(settings.models_dir / settings.image_bundle),
        Bundle.load(settings.models_dir / settings.note_bundle),
        device=settings.device,
        threads=settings.torch_threads,
    )
    fusion = LateFusion.from_bundle(Bundle.load(settings.models_dir / settings.fusion_bundle))
    # Two parts for each call, and for each that works ahead.
    parts = ThreadPoolExecutor(4 * settings.web_threads, "part")
    requests = ThreadPoolExecutor(4 * settings.web_threads, "request")
    prescreen = Prescreening(engine, fusion, Deidentifier(keys.pseudonym), record, parts)
    engine.warm_up()

    us = party(settings.base_url)
    charts = Charts(http, pacs, requests, settings.note_lookback_days, settings.max_notes)
    telling = Telling(record, us.address, keys.handle)
    advice = OrderAdvice(prescreen, charts, telling)
    ahead = WorkAhead(prescreen, charts, record, ThreadPoolExecutor(settings.web_threads, "ahead"))
    known = KnownFindings(telling)
    services: dict[str, Callable[[Call], Answer]] = {
        discovery.IMAGING_PRESCREEN.id: OrderSign(advice),
        discovery.IMAGING_ORDER_SELECT.id: OrderSelect(advice),
        discovery.IMAGING_PATIENT_VIEW.id: PatientView(ahead, known),
        discovery.IMAGING_ENCOUNTER_START.id: EncounterStart(ahead, known),
    }

    app = Flask("cds")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.register_blueprint(health.blueprint(database, valkey))
    app.register_blueprint(
        hooks.blueprint(
            us=us,
            door=Door(
                us,
                ClientAuthentication(registrations, Jwks(http), valkey),
                valkey,
                record,
                rate_per_minute=settings.hook_rate_per_minute,
            ),
            answers={
                id: Answering(answer, record, us=us, budget_ms=settings.hook_budget_ms)
                for id, answer in services.items()
            },
            registrations=registrations,
            record=record,
        )
    )
    app.register_blueprint(
        smart.blueprint(
            SmartServices(
                settings, keys, registrations, http, valkey, record, pacs.of_study, on_event=record.event
            )
        )
    )
    return app
