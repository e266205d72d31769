"""The app's routes, and how a refusal becomes a page."""

from __future__ import annotations

import logging

from flask import Blueprint, g, render_template

from cds.audit import balp
from cds.errors import SightlineError, UpstreamError
from cds.registration import Registration
from cds.smart import audit
from cds.smart.assets import Assets
from cds.smart.audit_trail import AuditTrailPage
from cds.smart.authorization import AuthorizationRequests
from cds.smart.callback import Callback
from cds.smart.cookies import Cookies
from cds.smart.events import Streams
from cds.smart.films import Films
from cds.smart.headers import Headers
from cds.smart.image import Overlay, SmallFilm, WholeFilm
from cds.smart.jwks import PublicKeys
from cds.smart.launch import Launch
from cds.smart.model_card import ModelCardPage
from cds.smart.pages import PatientEvents, PatientPage
from cds.smart.people import People
from cds.smart.refusals import Refusal, SystemAway
from cds.smart.services import SmartServices
from cds.smart.session import Sessions
from cds.smart.sign_off import SignOff
from cds.smart.signed_in import SignedIn
from cds.smart.worklist import WorklistEvents, WorklistPage, WorklistStep

log = logging.getLogger(__name__)


def blueprint(services: SmartServices) -> Blueprint:
    """Everything under ``/smart/``, and our public keys."""
    app = Blueprint("smart", __name__, template_folder="templates")
    assets = Assets()
    app.add_app_template_global(assets.url, "asset")
    cookies = Cookies(services.settings, services.registrations)
    requests = AuthorizationRequests(services, cookies)
    sessions = Sessions(services.valkey, services.keys.session)
    signed_in = SignedIn(services, cookies, sessions)
    app.add_url_rule("/smart/launch", "launch", Launch(services, requests))
    app.add_url_rule("/smart/callback", "callback", Callback(services, cookies, requests, sessions))
    films, people = Films(services, signed_in), People(services)
    page = PatientPage(services, signed_in, people)
    streams = Streams(room=max(1, services.settings.web_threads // 4))
    app.add_url_rule("/smart/", "patient", page)
    app.add_url_rule("/smart/events", "events", PatientEvents(services, signed_in, streams))
    app.add_url_rule("/smart/film", "film", WholeFilm(films))
    app.add_url_rule("/smart/image", "image", SmallFilm(films))
    app.add_url_rule("/smart/image/overlay/<finding>.png", "overlay", Overlay(films, services.explain))
    app.add_url_rule("/smart/model", "model", ModelCardPage(services, signed_in))
    app.add_url_rule("/smart/sign-off", "sign_off", SignOff(services, signed_in, page), methods=["POST"])
    app.add_url_rule("/smart/worklist", "worklist", WorklistPage(services, signed_in, people))
    app.add_url_rule("/smart/worklist", "worklist_step", WorklistStep(services, signed_in), methods=["POST"])
    app.add_url_rule("/smart/worklist/events", "worklist_events", WorklistEvents(services, signed_in, streams))
    trail = AuditTrailPage(services, signed_in)
    app.add_url_rule("/smart/audit", "audit_trail", trail)
    app.add_url_rule("/smart/audit", "audit_searched", trail.searched, methods=["POST"])
    app.add_url_rule("/smart/static/<name>", "static", assets)
    app.add_url_rule("/.well-known/jwks.json", "jwks", PublicKeys(services.keys))
    refused = _Refused(services)
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(UpstreamError, lambda error: refused(SystemAway(str(error))))
    app.after_request(Headers(cookies))
    return app


class _Refused:
    """The page of a refusal, and its place in the audit trail of the tenant, where there is one."""

    def __init__(self, services: SmartServices) -> None:
        self._services = services

    def __call__(self, refusal: Refusal) -> tuple[str, int]:
        log.info("refused: %s", refusal)
        registration: Registration | None = g.get("registration")
        if registration:
            self._record(registration, refusal)
        return render_template("smart/refused.html", refusal=refusal), refusal.status

    def _record(self, registration: Registration, refusal: Refusal) -> None:
        exchange = audit.with_browser(self._services, g.get("session"))
        try:
            self._services.on_event(registration.tenant, balp.refusal(exchange, "SMART app", str(refusal)))
        except SightlineError as error:
            # Nothing was shown, so nothing is hidden by going on without it.
            log.error("a refusal could not be recorded (%s)", type(error).__name__)
