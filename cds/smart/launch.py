"""EHR launch (SMART App Launch 2.2, app-launch.html, "EHR Launch" and "Obtain authorization code").

The EHR sends the browser with ``iss`` and ``launch``; we send it on to that EHR's authorization server. An ``iss``
that is not registered ends here, before anything is sent: whoever could choose it would be given our assertion.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]
from flask import Response, g

from cds.ehr.datatypes import Resource
from cds.ehr.smart_configuration import SmartConfiguration, discover
from cds.errors import BadAnswer
from cds.registration import Registration
from cds.smart import scopes
from cds.smart.cookies import LAUNCH, Cookies
from cds.smart.query import parameter
from cds.smart.refusals import BadLaunch, UnregisteredEhr
from cds.smart.services import SmartServices
from cds.smart.session import Sealed, new_secret

LAUNCH_S = 600
"""How long the clinician may take at the authorization server."""

KEPT = ("issuer", "jwks_uri", "token_endpoint", "token_endpoint_auth_signing_alg_values_supported")
"""Of the SMART configuration: what the callback will hold the answer to."""


@dataclass(frozen=True, slots=True)
class PendingLaunch:
    """An authorization request that is under way, under its ``state``."""

    fhir_server: str
    browser: str
    """Digest of the secret in the launch cookie: another browser cannot finish what this one began."""
    nonce: str
    configuration: Resource
    code_verifier: str = field(repr=False)


def pending_launches(services: SmartServices) -> Sealed:
    """Where they are kept."""
    return Sealed(services.valkey, services.keys.session, "launch")


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Launch:
    """``GET /smart/launch?iss=…&launch=…``"""

    def __init__(self, services: SmartServices, cookies: Cookies) -> None:
        self._services = services
        self._cookies = cookies
        self._pending = pending_launches(services)

    def __call__(self) -> Response:
        registration, base = self._ehr()
        g.registration = registration
        handle = parameter("launch")
        if not handle:
            raise BadLaunch("the parameter launch is missing")
        services = self._services
        configuration = discover(services.http, registration, base, timeout_s=services.timeout_s)
        services.valkey.ping()  # a state that cannot be kept is one that nobody can bring back
        return self._redirect(configuration, handle)

    def _ehr(self) -> tuple[Registration, str]:
        """The registration and its FHIR base, equal to ``iss`` up to one slash."""
        iss = parameter("iss")
        registration = self._services.registrations.by_fhir_server(iss)
        base = iss.removesuffix("/")
        if registration is None or base not in registration.fhir_servers:
            raise UnregisteredEhr("iss is not the FHIR base of a registered EHR")
        return registration, base

    def _redirect(self, configuration: SmartConfiguration, handle: str) -> Response:
        _check_pkce(configuration)
        base = configuration.base
        browser = self._cookies.secret(LAUNCH) or new_secret()
        state, verifier, nonce = new_secret(), new_secret(), new_secret()
        url = _authorization_url(
            configuration,
            redirect_uri=self._services.redirect_uri,
            state=state,
            code_verifier=verifier,
            nonce=nonce,
            launch=handle,
            aud=base,
        )
        kept = {name: configuration.document[name] for name in KEPT if name in configuration.document}
        pending = PendingLaunch(base, digest(browser), nonce, kept, verifier)
        self._pending.put(state, asdict(pending), LAUNCH_S)
        response = Response(status=303, headers={"Location": url})
        self._cookies.set(response, LAUNCH, browser, base)
        return response


def _check_pkce(configuration: SmartConfiguration) -> None:
    if "S256" not in configuration.listed("code_challenge_methods_supported"):
        raise BadAnswer("the authorization server does not say that it supports PKCE with S256")


def _authorization_url(configuration: SmartConfiguration, *, redirect_uri: str, **request: Any) -> str:
    """The authorization request (RFC 6749, 4.1.1; RFC 7636, 4.3)."""
    client = OAuth2Client(
        session=None,
        client_id=configuration.registration.client_id,
        scope=scopes.ASKED,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )
    url, _ = client.create_authorization_url(configuration.endpoint("authorization_endpoint"), **request)
    return str(url)
