"""``POST /smart/logout``: the session ends here, and its tokens at the EHR (RFC 7009)."""

from __future__ import annotations

import logging

from flask import Response, g, make_response, render_template

from cds.audit import balp
from cds.ehr.token_endpoint import revoke
from cds.errors import UpstreamError
from cds.registration import Registration
from cds.smart import audit
from cds.smart.cookies import SESSION, Cookies
from cds.smart.services import SmartServices
from cds.smart.session import Session, Sessions
from cds.smart.signed_in import SignedIn

log = logging.getLogger(__name__)


class Logout:
    """For whoever asks from a page of ours."""

    def __init__(self, services: SmartServices, cookies: Cookies, sessions: Sessions, signed_in: SignedIn) -> None:
        self._services = services
        self._cookies = cookies
        self._sessions = sessions
        self._signed_in = signed_in

    def __call__(self) -> Response:
        session, registration = self._signed_in.sent_a_form()
        self._sessions.end(self._signed_in.secret)
        g.pop("session")
        self._services.on_event(registration.tenant, balp.logged_out(audit.with_browser(self._services, session)))
        self._revoke(session, registration)
        response = make_response(render_template("smart/logged_out.html"))
        self._cookies.remove(response, SESSION)
        return response

    def _revoke(self, session: Session, registration: Registration) -> None:
        """Where the EHR cannot be told, its tokens end by themselves; nobody holds them any more."""
        services = self._services
        try:
            configuration = services.ehrs.of(registration, session.fhir_server)
            token = session.refresh_token or session.access_token
            revoke(services.http, services.keys, configuration, token, timeout_s=services.timeout_s)
        except UpstreamError as error:
            log.warning("a token could not be revoked: %s", error)
