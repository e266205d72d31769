"""The authorization request (SMART App Launch 2.2, "Obtain authorization code"; RFC 6749, 4.1.1; RFC 7636).

What the callback will need is kept here, under the ``state``; the browser carries nothing but that and a cookie.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass, field

from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]
from flask import Response

from cds.ehr.datatypes import Resource
from cds.ehr.smart_configuration import SmartConfiguration
from cds.errors import BadAnswer
from cds.smart import scopes
from cds.smart.cookies import LAUNCH, Cookies
from cds.smart.refusals import StateExpired
from cds.smart.services import SmartServices
from cds.smart.session import Sealed, new_secret

PENDING_S = 600
"""How long the clinician may take at the authorization server."""

KEPT = ("issuer", "jwks_uri", "token_endpoint", "token_endpoint_auth_signing_alg_values_supported")
"""Of the SMART configuration: what the answer will be held to."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An authorization request that is under way."""

    fhir_server: str
    browser: str
    """Digest of the secret in the launch cookie: another browser cannot finish what this one began."""
    nonce: str
    configuration: Resource
    code_verifier: str = field(repr=False)

    def begun_by(self, browser: str) -> bool:
        """Whether the browser with that secret began it."""
        return hmac.compare_digest(_digest(browser), self.browser)


class AuthorizationRequests:
    """Begins them, and gives each back once."""

    def __init__(self, services: SmartServices, cookies: Cookies) -> None:
        self._services = services
        self._cookies = cookies
        self._sealed = Sealed(services.valkey, services.keys.session, "launch")

    def begin(self, configuration: SmartConfiguration, scope: str, **launch: str) -> Response:
        """Send the browser to the authorization endpoint; ``scope`` and ``launch`` are this kind of launch's.

        Raises :class:`BadAnswer` for a server without PKCE by S256, :class:`~cds.errors.Unreachable` where the
        state cannot be kept.
        """
        if "S256" not in configuration.listed("code_challenge_methods_supported"):
            raise BadAnswer("the authorization server does not say that it supports PKCE with S256")
        configuration.endpoint("token_endpoint")  # nobody is sent where we could not follow
        self._services.valkey.ping()
        browser = self._cookies.secret(LAUNCH) or new_secret()
        state, verifier, nonce = new_secret(), new_secret(), new_secret()
        asked = scopes.asked(configuration, scope)
        url = self._url(configuration, asked, state=state, code_verifier=verifier, nonce=nonce, **launch)
        kept = {name: configuration.document[name] for name in KEPT if name in configuration.document}
        pending = Pending(configuration.base, _digest(browser), nonce, kept, verifier)
        self._sealed.put(state, asdict(pending), PENDING_S)
        response = Response(status=303, headers={"Location": url})
        self._cookies.set(response, LAUNCH, browser, configuration.base)
        return response

    def take(self, state: str) -> Pending:
        """The request that ``state`` stands for, which is spent by this; else :class:`StateExpired`."""
        held = self._sealed.take(state) if state else None
        if held is None:
            raise StateExpired("the state is unknown, used or too old")
        try:
            return Pending(**held)
        except TypeError:
            raise StateExpired("the launch is of another version of ours") from None

    def _url(self, configuration: SmartConfiguration, scope: str, **request: str) -> str:
        client = OAuth2Client(
            session=None,
            client_id=configuration.registration.client_id,
            scope=scope,
            redirect_uri=self._services.redirect_uri,
            code_challenge_method="S256",
        )
        endpoint = configuration.endpoint("authorization_endpoint")
        url, _ = client.create_authorization_url(endpoint, aud=configuration.base, **request)
        return str(url)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
