"""The application's construction: the whole service on one page."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
from flask import Flask

from cds import api, health, logs, smart
from cds.assess import Assessing
from cds.audit.search import AuditTrails
from cds.audit.trail import party
from cds.bulkhead import Bulkhead
from cds.charts import Charts
from cds.ehr.backend_services import BackendServices
from cds.ehr.issuer_keys import IssuerKeys
from cds.ehr.smart_configuration import Discovery
from cds.engine.active import in_use
from cds.engine.process.client import EngineProcess
from cds.explain import Explaining
from cds.fhir import views as fhir
from cds.fhir.admission import Admission
from cds.fhir.endpoint import Endpoint
from cds.fhir.pages import Pages
from cds.fhir.tokens import Tokens
from cds.fusion.late import LateFusion
from cds.hooks import discovery
from cds.hooks import views as hooks
from cds.hooks.call import Answer, Answering, Call, UnderWay
from cds.hooks.client_auth import ClientAuthentication
from cds.hooks.door import Door
from cds.hooks.encounter_start import EncounterStart
from cds.hooks.known import KnownFindings
from cds.hooks.look import Look
from cds.hooks.order_advice import OrderAdvice
from cds.hooks.order_select import OrderSelect
from cds.hooks.order_sign import OrderSign
from cds.hooks.patient_view import PatientView
from cds.hooks.telling import Telling
from cds.hooks.work_ahead import WorkAhead
from cds.inference.engine import Engine, Models
from cds.inference.socket import socket_of
from cds.pacs import PacsAccess, transports
from cds.prescreen import Prescreening
from cds.production import checked
from cds.reporting import models
from cds.reporting.record import Record
from cds.reporting.sign_off import SignOffs
from cds.reporting.worklist import Worklist
from cds.settings import Settings
from cds.smart import SmartServices
from cds.smart.afterwards import Afterwards
from cds.store import master_key, migrate
from cds.store.database import Database
from cds.store.once import Once
from cds.store.sealing import Keyring
from cds.store.valkey import Valkey
from cds.transport import Transport

PLACES_PER_CORE = 1
"""A film or a patient's notes that nobody knows take a core for most of what they take."""
AHEAD = 2
"""Launches whose film and heat map are made ready, at once."""


def create_app(settings: Settings | None = None) -> Flask:
    """Raises a :class:`~cds.errors.SightlineError` of one plain sentence where the service must not start."""
    settings = settings or Settings.from_environment()
    logs.configure(settings.log_level)

    keys, registrations = checked(settings)

    database = Database(settings.database_url, Keyring(master_key.from_settings(settings, keys)))
    migrate.check(settings.database_url)
    valkey = Valkey(settings.redis_url)
    record = Record(database)

    timeout_s = settings.upstream_timeout_ms / 1000
    http = httpx.Client(
        timeout=timeout_s, trust_env=False, transport=Transport(), mounts=transports(registrations)
    )
    issuer_keys = IssuerKeys(http)
    ehrs = Discovery(http, timeout_s=timeout_s)
    backend = BackendServices(http, keys, ehrs, on_token=record.token_requested)
    pacs = PacsAccess(http, backend, settings.max_image_bytes, timeout_s)

    running = Models.in_use(settings)
    engine_process = EngineProcess(socket_of(settings), running.digests)
    engine = Engine(running, engine_process)
    fused = in_use(settings, "fusion")
    fusion = LateFusion.from_bundle(fused)
    threads = settings.web_threads
    once = Once(valkey)
    # What all web workers of the machine begin at once.
    places = math.ceil(PLACES_PER_CORE * (os.cpu_count() or 1) / settings.web_workers)
    prescreen = Prescreening(
        engine,
        fusion,
        record,
        secret=keys.pseudonym,
        once=once,
        places=Bulkhead(places),
        images=ThreadPoolExecutor(threads, "image"),
        notes=ThreadPoolExecutor(threads, "notes"),
    )
    loaded = [(bundle.version, bundle.directory) for bundle in (*running.bundles, fused)]
    models.publish(database, party(settings.base_url), (each.tenant for each in registrations), loaded)

    us = party(settings.base_url)
    requests = ThreadPoolExecutor(2 * threads, "request")
    charts = Charts(http, pacs, backend, requests, settings.note_lookback_days, settings.max_notes)
    look = Look(prescreen, charts, reported=False)
    look_and_report = Look(prescreen, charts, reported=True)
    ahead = WorkAhead(look, record)
    telling = Telling(record, us.address, keys.handle, timedelta(hours=settings.override_window_hours))
    duplicates = timedelta(hours=settings.duplicate_window_hours)
    known = KnownFindings(telling)
    services: dict[str, Callable[[Call], Answer]] = {
        discovery.IMAGING_PRESCREEN.id: OrderSign(OrderAdvice(look_and_report, telling, duplicates)),
        discovery.IMAGING_ORDER_SELECT.id: OrderSelect(OrderAdvice(look, telling, duplicates)),
        discovery.IMAGING_PATIENT_VIEW.id: PatientView(ahead, known),
        discovery.IMAGING_ENCOUNTER_START.id: EncounterStart(ahead, known),
    }

    under_way = UnderWay()
    app = Flask("cds")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    # No redirect to a tidier path: the aud of a JWT is the very address that was called.
    app.url_map.merge_slashes = False
    app.register_blueprint(health.blueprint(database, valkey, engine_process))
    door = Door(
        us,
        ClientAuthentication(registrations, issuer_keys, valkey),
        valkey,
        record,
        rate_per_minute=settings.hook_rate_per_minute,
    )
    app.register_blueprint(
        hooks.blueprint(
            us=us,
            door=door,
            answers={
                id: Answering(answer, record, us=us, budget_ms=settings.hook_budget_ms, under_way=under_way)
                for id, answer in services.items()
            },
            registrations=registrations,
            record=record,
        )
    )
    assessing = Assessing(engine, fusion)
    app.register_blueprint(api.blueprint(us=us, admitted=door.admitted, assess=assessing, record=record))
    explaining = Explaining(engine, database, secret=keys.pseudonym, once=once)
    app.register_blueprint(
        smart.blueprint(
            SmartServices(
                settings=settings,
                keys=keys,
                registrations=registrations,
                http=http,
                ehrs=ehrs,
                issuer_keys=issuer_keys,
                valkey=valkey,
                prescreens=record,
                open_pacs=pacs.opener,
                explain=explaining,
                on_event=record.event,
                sign_offs=SignOffs(database),
                model_cards=models.ModelCards(database),
                worklist=Worklist(database),
                audit_trails=AuditTrails(database, keys.signing.all),
                afterwards=Afterwards(ThreadPoolExecutor(AHEAD, "ahead"), limit=threads),
            )
        )
    )
    tokens = Tokens(registrations, http, keys, issuer_keys, f"{settings.base_url}/fhir")
    endpoint = Endpoint(
        us,
        f"{settings.base_url}/fhir",
        Admission(us, tokens, valkey, record),
        registrations,
        database,
        record,
        Pages(keys.handle),
    )
    app.register_blueprint(fhir.blueprint(endpoint))
    return app
