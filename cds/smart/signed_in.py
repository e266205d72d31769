"""What every page begins with: who is signed in, at which EHR, and what shows a form to be of their session."""

from __future__ import annotations

from flask import g

from cds.registration import Registration
from cds.smart import csrf
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
        return self._known(self._sessions.get(self._cookies.secret(SESSION)))

    def looking_on(self) -> tuple[Session, Registration]:
        """The same for a page that asks by itself, which does not keep the session alive."""
        return self._known(self._sessions.look(self._cookies.secret(SESSION)))

    def sent_a_form(self) -> tuple[Session, Registration]:
        """The same for a form; raises :class:`~cds.smart.refusals.ForeignForm` where it is not of this session."""
        found = self()
        csrf.check(self._services.keys.session, self._secret)
        return found

    def form_token(self) -> str:
        """What a form of this session carries."""
        return csrf.token(self._services.keys.session, self._secret)

    def _known(self, session: Session) -> tuple[Session, Registration]:
        registration = self._services.registrations.by_fhir_server(session.fhir_server)
        if registration is None:
            raise SessionExpired("the EHR is no longer registered")
        g.registration, g.session = registration, session
        return session, registration

    @property
    def _secret(self) -> str:
        return self._cookies.secret(SESSION) or ""
