"""Another access token for a session whose own has ended (SMART App Launch 2.2, "Refresh"; RFC 6749, 6).

A refresh token is good once: of all requests of a session, in all processes, one uses it and the others wait.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

from cds.audit import balp
from cds.ehr.datatypes import string
from cds.ehr.token_endpoint import TokenAnswer, request_token
from cds.errors import Refused
from cds.registration import Registration
from cds.smart import audit
from cds.smart.refusals import PatientChanged, SessionExpired
from cds.smart.services import SmartServices
from cds.smart.session import Session, Sessions, token_end
from cds.store.once import Once

EARLY_S = 30
"""A token is replaced so long before it expires: it must last for the request that it is used for."""


class Renewal:
    """Renews the tokens of sessions."""

    def __init__(self, services: SmartServices, sessions: Sessions) -> None:
        self._services = services
        self._sessions = sessions
        self._once = Once(services.valkey)

    def fresh(self, secret: str, session: Session, registration: Registration) -> Session:
        """The session with a token that is good for a while yet, or for as long as the EHR gives any."""
        if not session.refresh_token or session.expires > time.time() + EARLY_S:
            return session
        return self.other_than(session.access_token, secret, session, registration)

    def other_than(self, token: str, secret: str, session: Session, registration: Registration) -> Session:
        """The session with another token than that; :class:`SessionExpired` where the EHR gives none."""
        digest = hashlib.sha256(f"{secret} {token}".encode()).hexdigest()

        def renewed() -> Session | None:
            held = self._sessions.get(secret)
            return held if held.access_token != token else None

        return self._once(f"renewal:{digest}", renewed, lambda: self._renew(secret, session, registration))

    def _renew(self, secret: str, session: Session, registration: Registration) -> Session:
        try:
            answer = self._ask(session, registration)
            if string(answer.parameters, "patient") not in ("", session.patient_id):
                raise PatientChanged("the renewed token is for another patient")
        except (SessionExpired, PatientChanged):
            self._sessions.end(secret)
            raise
        fresh = replace(
            session,
            access_token=answer.access_token,
            expires=token_end(answer.expires, time.time()),
            refresh_token=string(answer.parameters, "refresh_token") or session.refresh_token,
            scope=string(answer.parameters, "scope") or session.scope,
        )
        self._sessions.keep(secret, fresh)
        exchange = audit.with_ehr(self._services, registration, fresh)
        parameters = {"grant_type": "refresh_token", "scope": fresh.scope}
        self._services.on_event(registration.tenant, balp.token_obtained(exchange, parameters))
        return fresh

    def _ask(self, session: Session, registration: Registration) -> TokenAnswer:
        if not session.refresh_token:
            raise SessionExpired("the EHR no longer takes the access token")
        services = self._services
        grant = {"grant_type": "refresh_token", "refresh_token": session.refresh_token}
        try:
            with services.ehrs.used(registration, session.fhir_server) as configuration:
                return request_token(
                    services.http, services.keys, configuration, grant, timeout_s=services.timeout_s
                )
        except Refused as refused:
            raise SessionExpired(f"the EHR did not renew the access token: {refused}") from None
