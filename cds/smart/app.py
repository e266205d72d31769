"""The app's routes, and how a refusal becomes a page."""

from __future__ import annotations

from flask import Blueprint, g

from cds.errors import UpstreamError
from cds.smart.authorization import AuthorizationRequests
from cds.smart.callback import Callback
from cds.smart.cookies import Cookies
from cds.smart.headers import Headers
from cds.smart.image import Picture, radiograph
from cds.smart.jwks import PublicKeys
from cds.smart.launch import EhrLaunch, StandaloneLaunch
from cds.smart.logout import Logout
from cds.smart.pages import PatientPage
from cds.smart.refusals import Refusal, SystemAway
from cds.smart.refused import Refused
from cds.smart.services import SmartServices
from cds.smart.session import Sessions
from cds.smart.signed_in import SignedIn


def blueprint(services: SmartServices) -> Blueprint:
    """Everything under ``/smart/``, and our public keys."""
    app = Blueprint(
        "smart", __name__, template_folder="templates", static_folder="static", static_url_path="/smart/static"
    )
    cookies = Cookies(services.settings, services.registrations)
    requests = AuthorizationRequests(services, cookies)
    sessions = Sessions(services.valkey, services.keys.session)
    signed_in = SignedIn(services, cookies, sessions)
    app.add_url_rule("/smart/launch", "launch", EhrLaunch(services, requests))
    app.add_url_rule("/smart/standalone", "standalone", StandaloneLaunch(services, requests))
    app.add_url_rule("/smart/callback", "callback", Callback(services, cookies, requests, sessions))
    app.add_url_rule("/smart/", "patient", PatientPage(services, signed_in))
    app.add_url_rule("/smart/logout", "logout", Logout(services, cookies, sessions, signed_in), methods=["POST"])
    app.add_url_rule("/smart/image", "image", Picture(services, signed_in, radiograph))
    overlay = Picture(services, signed_in, services.explain)
    app.add_url_rule("/smart/image/overlay/<finding>.png", "overlay", overlay)
    app.add_url_rule("/.well-known/jwks.json", "jwks", PublicKeys(services.keys))
    refused = Refused(services)
    app.context_processor(lambda: {"form_token": signed_in.form_token() if "session" in g else ""})
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(UpstreamError, lambda error: refused(SystemAway(str(error))))
    app.after_request(Headers(cookies))
    return app
