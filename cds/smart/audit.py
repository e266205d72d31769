"""Who saw what: the parties of the app's AuditEvents (:mod:`cds.audit.balp`)."""

from __future__ import annotations

from flask import request

from cds.audit.balp import Exchange, Party, User
from cds.audit.trail import party
from cds.registration import Registration
from cds.smart.services import SmartServices
from cds.smart.session import Session


def with_browser(services: SmartServices, session: Session | None = None) -> Exchange:
    """A browser asked us, on behalf of whoever is signed in."""
    us, browser = party(services.settings.base_url), Party("browser", request.remote_addr or "unknown")
    return Exchange(browser, us, us, _user(session))


def with_ehr(services: SmartServices, registration: Registration, session: Session) -> Exchange:
    """We asked the EHR, with the token of whoever is signed in."""
    us = party(services.settings.base_url)
    client = Party(registration.client_id, services.settings.base_url)
    return Exchange(client, Party(session.fhir_server, session.fhir_server), us, _user(session))


def _user(session: Session | None) -> User | None:
    return User(session.user_issuer, session.user_subject) if session else None
