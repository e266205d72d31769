"""What every page begins with: who is signed in, and at which EHR."""

from __future__ import annotations

from flask import g

from cds.registration import Registration
from cds.smart.cookies import SESSION, Cookies
from cds.smart.refusals import SessionExpired
from cds.smart.services import SmartServices
from cds.smart.session import Session, Sessions


class SignedIn:
    """Finds the session of the browser that asks."""

    def __init__(self, services: SmartServices, cookies: Cookies, sessions: Sessions) -> None:
        self._services = services
        self._cookies = cookies
        self._sessions = sessions

    def __call__(self) -> tuple[Session, Registration]:
        """Raises :class:`SessionExpired`."""
        session = self._sessions.get(self._cookies.secret(SESSION))
        registration = self._services.registrations.by_fhir_server(session.fhir_server)
        if registration is None:
            raise SessionExpired("the EHR is no longer registered")
        g.registration, g.session = registration, session
        return session, registration
