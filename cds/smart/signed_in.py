"""What every page begins with: who is signed in, at which EHR, and what shows a form to be of their session."""

from __future__ import annotations

import httpx
from flask import g

from cds.ehr.bearer import RenewableBearer
from cds.ehr.fhir_client import FhirClient
from cds.registration import Registration
from cds.smart import csrf
from cds.smart.cookies import SESSION, Cookies
from cds.smart.refusals import SessionExpired
from cds.smart.renewal import Renewal
from cds.smart.services import SmartServices
from cds.smart.session import Session, Sessions


class SignedIn:
    """Finds the session of the browser that asks."""

    def __init__(self, services: SmartServices, cookies: Cookies, sessions: Sessions) -> None:
        self._services = services
        self._cookies = cookies
        self._sessions = sessions
        self._renewal = Renewal(services, sessions)

    def __call__(self) -> tuple[Session, Registration]:
        """With an access token that is good for a while yet; raises :class:`SessionExpired`."""
        session, registration = self._known(self._sessions.get(self.secret))
        g.session = session = self._renewal.fresh(self.secret, session, registration)
        return session, registration

    def looking_on(self) -> tuple[Session, Registration]:
        """The same as it stands, for a page that asks by itself, which does not keep the session alive."""
        return self._known(self._sessions.look(self.secret))

    def sent_a_form(self) -> tuple[Session, Registration]:
        """The same as it stands, for a form; raises :class:`~cds.smart.refusals.ForeignForm` for a strange one."""
        found = self._known(self._sessions.get(self.secret))
        csrf.check(self._services.keys.session, self.secret)
        return found

    def form_token(self) -> str:
        """What a form of this session carries."""
        return csrf.token(self._services.keys.session, self.secret)

    def bearer(self, session: Session, registration: Registration) -> httpx.Auth:
        """The session's access token on requests to its FHIR server; where it is refused, another, once."""
        secret = self.secret

        def token(refused: str) -> str:
            if session.access_token != refused:
                return session.access_token
            return self._renewal.other_than(refused, secret, session, registration).access_token

        return RenewableBearer(token, session.fhir_server)

    def fhir(self, session: Session, registration: Registration) -> FhirClient:
        """The session's FHIR server, as it shows itself to the user who is signed in."""
        services, auth = self._services, self.bearer(session, registration)
        return FhirClient(services.http, registration, session.fhir_server, auth, timeout_s=services.timeout_s)

    @property
    def secret(self) -> str:
        """What the browser's cookie holds; empty where there is none."""
        return self._cookies.secret(SESSION) or ""

    def _known(self, session: Session) -> tuple[Session, Registration]:
        registration = self._services.registrations.by_fhir_server(session.fhir_server)
        if registration is None:
            raise SessionExpired("the EHR is no longer registered")
        g.registration, g.session = registration, session
        return session, registration
