"""Back from the authorization server (SMART App Launch 2.2, "Obtain access token"; RFC 6749, 4.1.2 and 4.1.3).

In this order: the state, which is spent by looking; the browser it was given to; who answers (RFC 9207); an error,
whose words are not repeated; and only then the code goes to the token endpoint that was found at launch.
"""

from __future__ import annotations

import time

from flask import Response, g

from cds.audit import balp
from cds.ehr.datatypes import string
from cds.ehr.smart_configuration import SmartConfiguration
from cds.ehr.token_endpoint import TokenAnswer, request_token
from cds.errors import Refused, UpstreamError
from cds.registration import Registration, Role
from cds.smart import audit, id_token, launch_context
from cds.smart.ahead import Ahead
from cds.smart.authorization import AuthorizationRequests, Pending
from cds.smart.cookies import LAUNCH, SESSION, Cookies
from cds.smart.query import parameter
from cds.smart.refusals import (
    ConsentDenied,
    CookieMissing,
    StateExpired,
    TokenRefused,
    UnregisteredEhr,
)
from cds.smart.services import SmartServices
from cds.smart.session import LONGEST_S, Session, Sessions, token_end


class Callback:
    """``GET /smart/callback?state=…&code=…``"""

    def __init__(
        self,
        services: SmartServices,
        cookies: Cookies,
        requests: AuthorizationRequests,
        sessions: Sessions,
        ahead: Ahead,
    ) -> None:
        self._services = services
        self._cookies = cookies
        self._requests = requests
        self._sessions = sessions
        self._ahead = ahead

    def __call__(self) -> Response:
        pending = self._requests.take(parameter("state"))
        g.registration = registration = self._registration(pending)
        self._check_browser(pending, registration)
        configuration = SmartConfiguration(registration, pending.fhir_server, pending.configuration)
        code = _code(configuration)
        session = self._session(configuration, pending, code)
        return self._signed_in(registration, session)

    def _registration(self, pending: Pending) -> Registration:
        registration = self._services.registrations.by_fhir_server(pending.fhir_server)
        if registration is None:
            raise UnregisteredEhr("the EHR is no longer registered")
        return registration

    def _check_browser(self, pending: Pending, registration: Registration) -> None:
        secret = self._cookies.secret(LAUNCH)
        if secret is None:
            way_out = pending.fhir_server if registration.standalone else ""
            raise CookieMissing("the browser sent no launch cookie", way_out)
        if not pending.begun_by(secret):
            raise StateExpired("the launch was begun in another browser")

    def _session(self, configuration: SmartConfiguration, pending: Pending, code: str) -> Session:
        services = self._services
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": services.redirect_uri,
            "code_verifier": pending.code_verifier,
        }
        try:
            answer = request_token(
                services.http, services.keys, configuration, grant, timeout_s=services.timeout_s
            )
        except Refused as refused:
            raise TokenRefused(str(refused)) from None
        except UpstreamError:
            services.ehrs.forget(pending.fhir_server)
            raise
        user = id_token.verify(
            services.http,
            services.issuer_keys,
            configuration,
            string(answer.parameters, "id_token"),
            pending.nonce,
            timeout_s=services.timeout_s,
        )
        return self._of(answer, user, pending.fhir_server, configuration.registration.roles_of(user.claims))

    def _of(self, answer: TokenAnswer, user: id_token.User, fhir_server: str, roles: tuple[Role, ...]) -> Session:
        """The session for the launch context that came with the token (scopes-and-launch-context.html)."""
        now, renewable = time.time(), string(answer.parameters, "refresh_token")
        expires = token_end(answer.expires, now)
        return Session(
            fhir_server=fhir_server,
            user_issuer=user.issuer,
            user_subject=user.subject,
            fhir_user=user.fhir_user,
            scope=string(answer.parameters, "scope"),
            access_token=answer.access_token,
            refresh_token=renewable,
            expires=expires,
            ends=now + LONGEST_S if renewable else expires,
            roles=roles,
            **launch_context.of_token(answer.parameters, fhir_server, self._services.keys.handle),
        )

    def _signed_in(self, registration: Registration, session: Session) -> Response:
        self._services.on_event(
            registration.tenant,
            balp.token_obtained(
                audit.with_ehr(self._services, registration, session),
                {"grant_type": "authorization_code", "scope": session.scope},
            ),
        )
        self._ahead(registration, session)
        if before := self._cookies.secret(SESSION):
            self._sessions.end(before)
        response = Response(status=303, headers={"Location": "/smart/"})
        self._cookies.set(response, SESSION, self._sessions.begin(session), session.fhir_server)
        return response


def _code(configuration: SmartConfiguration) -> str:
    """The authorization code, from the server that we asked."""
    answers = parameter("iss")
    if answers and answers not in (configuration.issuer, configuration.base):
        raise TokenRefused("another authorization server answered than the one that was asked")
    error = parameter("error")
    if error == "access_denied":
        raise ConsentDenied("the authorization server answered access_denied")
    code = parameter("code")
    if error or not code:
        raise TokenRefused("the authorization server answered with an error")
    return code
