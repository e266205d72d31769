"""The authorization server's parts, as its endpoints share them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import httpx
from flask import current_app
from joserfc.jwk import ECKey

from cds import tls
from cds.sandbox.access import AccessTokens
from cds.sandbox.clients import Clients
from cds.sandbox.handles import Handles
from cds.sandbox.oauth.client_auth import ClientAuthentication, ClientKeys
from cds.sandbox.oauth.errors import OAuthError
from cds.sandbox.oauth.grants import Grant, PendingRequest
from cds.sandbox.oauth.launch import Launch
from cds.sandbox.records import Records

EXTENSION = "sandbox-oauth"

LAUNCH_S = 300
CODE_S = 60
ACCESS_S = 3600
REFRESH_S = 12 * 3600


@dataclass
class AuthorizationServer:
    """Who may be granted what, and what has been. ``issuer`` is the FHIR base, here and in every token."""

    issuer: str
    base_url: str
    clients: Clients
    key: ECKey = field(repr=False)
    """Signs id_tokens; its public half is published."""
    tokens: AccessTokens
    records: Records
    backend_audiences: tuple[str, ...]
    """Where a Backend Services token is good: the FHIR server, and the PACS beside it."""
    resources: tuple[str, ...] = ()
    """Other servers that take our tokens, for whoever names one as ``resource`` (RFC 8707)."""
    http: httpx.Client = field(
        default_factory=lambda: httpx.Client(timeout=5, trust_env=False, verify=tls.public())
    )
    """Fetches the clients' keys, from the URLs registered and nowhere else."""
    launches: Handles[Launch] = field(default_factory=lambda: Handles(LAUNCH_S))
    pending: Handles[PendingRequest] = field(default_factory=lambda: Handles(LAUNCH_S))
    codes: Handles[Grant] = field(default_factory=lambda: Handles(CODE_S))
    spent: Handles[Grant] = field(default_factory=lambda: Handles(REFRESH_S))
    """Codes and refresh tokens that have been used: whoever shows one again is a thief, or was robbed."""
    refresh_tokens: Handles[Grant] = field(default_factory=lambda: Handles(REFRESH_S))
    access_tokens: Handles[Grant] = field(default_factory=lambda: Handles(ACCESS_S))
    authentication: ClientAuthentication = field(init=False)

    def __post_init__(self) -> None:
        audiences = tuple(self.endpoint(name) for name in ("token", "introspect", "revoke"))
        self.authentication = ClientAuthentication(self.clients, ClientKeys(self.http), audiences)

    def endpoint(self, name: str) -> str:
        """The absolute URL of ``authorize``, ``token``, ``introspect``, ``revoke`` or ``jwks``."""
        return f"{self.base_url}/oauth/{name}"

    def audience(self, resource: str | None, default: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """For whom a token is: the ``resource`` that was named, and nobody else (RFC 8707 §2)."""
        if resource is None:
            return default
        if resource not in self.resources:
            raise OAuthError("invalid_target", "resource names no server that takes our tokens")
        return resource

    def end(self, grant: Grant) -> None:
        """Revoke every token of one authorization."""
        self.refresh_tokens.take_all(grant)
        for token in self.access_tokens.take_all(grant):
            self.tokens.revoke(token)


def server() -> AuthorizationServer:
    """The authorization server of the current application."""
    return cast(AuthorizationServer, current_app.extensions[EXTENSION])
