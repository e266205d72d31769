"""What every page begins with: who is signed in, and at which EHR."""

from __future__ import annotations

import httpx
from flask import g

from cds.ehr.bearer import RenewableBearer
from cds.registration import Registration
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
        secret, session, registration = self.held()
        g.session = session = self._renewal.fresh(secret, session, registration)
        return session, registration

    def held(self) -> tuple[str, Session, Registration]:
        """The secret in the browser's cookie, and the session as it stands; raises :class:`SessionExpired`."""
        secret = self._cookies.secret(SESSION)
        if secret is None:
            raise SessionExpired("there is no session")
        session = self._sessions.get(secret)
        registration = self._services.registrations.by_fhir_server(session.fhir_server)
        if registration is None:
            raise SessionExpired("the EHR is no longer registered")
        g.secret, g.session, g.registration = secret, session, registration
        return secret, session, registration

    def bearer(self, session: Session, registration: Registration) -> httpx.Auth:
        """The session's access token on requests to its FHIR server; where it is refused, another, once."""
        secret = g.secret

        def token(refused: str) -> str:
            if session.access_token != refused:
                return session.access_token
            return self._renewal.other_than(refused, secret, session, registration).access_token

        return RenewableBearer(token, session.fhir_server)
