"""The app's routes, and how a refusal becomes a page."""

from __future__ import annotations

from flask import Blueprint, g

from cds.errors import UpstreamError
from cds.smart.ahead import Ahead
from cds.smart.assets import Assets
from cds.smart.audit_trail import AuditTrailPage
from cds.smart.authorization import AuthorizationRequests
from cds.smart.callback import Callback
from cds.smart.cookies import Cookies
from cds.smart.events import Streams
from cds.smart.films import Films
from cds.smart.headers import Headers
from cds.smart.image import Overlay, SmallFilm, ViewerFilm
from cds.smart.judging import Judging
from cds.smart.jwks import PublicKeys
from cds.smart.launch import EhrLaunch, StandaloneLaunch
from cds.smart.logout import Logout
from cds.smart.model_card import ModelCardPage
from cds.smart.notes import NotePage
from cds.smart.pages import PatientEvents, PatientPage
from cds.smart.people import People
from cds.smart.pictures import Pictures
from cds.smart.refusals import Refusal, SystemAway
from cds.smart.refused import Refused
from cds.smart.services import SmartServices
from cds.smart.session import Sessions
from cds.smart.sign_off import SignOff
from cds.smart.signed_in import SignedIn
from cds.smart.studies import OtherStudies, Studies
from cds.smart.worklist import WorklistEvents, WorklistPage, WorklistStep


def blueprint(services: SmartServices) -> Blueprint:
    """Everything under ``/smart/``, and our public keys."""
    app = Blueprint("smart", __name__, template_folder="templates")
    assets = Assets()
    app.add_app_template_global(assets.url, "asset")
    cookies = Cookies(services.settings, services.registrations)
    requests = AuthorizationRequests(services, cookies)
    sessions = Sessions(services.valkey, services.keys.session)
    signed_in = SignedIn(services, cookies, sessions)
    pictures = Pictures(services.valkey, services.keys.session)
    ahead = Ahead(services, pictures)
    app.add_url_rule("/smart/launch", "launch", EhrLaunch(services, requests))
    app.add_url_rule("/smart/standalone", "standalone", StandaloneLaunch(services, requests))
    app.add_url_rule("/smart/callback", "callback", Callback(services, cookies, requests, sessions, ahead))
    studies, people = Studies(services, signed_in), People(services, signed_in)
    films = Films(services, signed_in, studies)
    page = PatientPage(services, signed_in, people)
    streams = Streams(room=max(1, services.settings.web_threads // 4))
    app.add_url_rule("/smart/", "patient", page)
    app.add_url_rule("/smart/logout", "logout", Logout(services, cookies, sessions, signed_in), methods=["POST"])
    app.add_url_rule("/smart/events", "events", PatientEvents(services, signed_in, streams))
    app.add_url_rule("/smart/film", "film", ViewerFilm(films, pictures.whole))
    app.add_url_rule("/smart/film/reduced", "reduced_film", ViewerFilm(films, pictures.reduced))
    app.add_url_rule("/smart/image", "image", SmallFilm(films))
    app.add_url_rule("/smart/image/overlay/<finding>.png", "overlay", Overlay(films, services.explain))
    app.add_url_rule("/smart/studies", "studies", OtherStudies(services, signed_in, studies))
    app.add_url_rule("/smart/note", "note", NotePage(services, signed_in))
    app.add_url_rule("/smart/model", "model", ModelCardPage(services, signed_in))
    app.add_url_rule("/smart/sign-off", "sign_off", SignOff(services, signed_in, page), methods=["POST"])
    app.add_url_rule("/smart/judgement", "judgement", Judging(services, signed_in, page), methods=["POST"])
    app.add_url_rule("/smart/worklist", "worklist", WorklistPage(services, signed_in, people))
    app.add_url_rule("/smart/worklist", "worklist_step", WorklistStep(services, signed_in), methods=["POST"])
    app.add_url_rule("/smart/worklist/events", "worklist_events", WorklistEvents(services, signed_in, streams))
    trail = AuditTrailPage(services, signed_in)
    app.add_url_rule("/smart/audit", "audit_trail", trail)
    app.add_url_rule("/smart/audit", "audit_searched", trail.searched, methods=["POST"])
    app.add_url_rule("/smart/static/<name>", "static", assets)
    app.add_url_rule("/.well-known/jwks.json", "jwks", PublicKeys(services.keys))
    refused = Refused(services)
    app.context_processor(lambda: {"form_token": signed_in.form_token() if "session" in g else ""})
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(UpstreamError, lambda error: refused(SystemAway(str(error))))
    app.after_request(Headers(cookies))
    return app
