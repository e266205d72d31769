"""The apps and services registered with the sandbox EHR, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SIGHTLINE_SCOPES = (
    "launch launch/patient launch/encounter openid fhirUser online_access "
    "patient/*.rs user/*.rs user/DiagnosticReport.u "
    "system/*.rs system/DiagnosticReport.crus system/Observation.crus system/Provenance.crs "
    "system/ImagingStudy.crs system/Device.crus system/Task.crus system/AuditEvent.crs"
)


@dataclass(frozen=True, slots=True)
class Client:
    """It shows who it is with a key (pinned, or at its URL), else with a secret; with neither it is public."""

    id: str
    name: str
    redirect_uris: tuple[str, ...] = ()
    launch_url: str = ""
    scopes: tuple[str, ...] = ()
    """The most it may be granted, in SMART v2 syntax."""
    jwks: Mapping[str, Any] | None = None
    jwks_url: str = ""
    secret: str = field(default="", repr=False)
    algorithms: tuple[str, ...] = ("ES384", "RS384")

    @property
    def public(self) -> bool:
        """Whether it cannot keep a secret, as an app in a browser (RFC 6749 §2.1)."""
        return not (self.jwks or self.jwks_url or self.secret)


def sightline(service_url: str) -> Client:
    """The service under trial, as an operator of this EHR would register it."""
    base = service_url.rstrip("/")
    return Client(
        id="sightline",
        name="Sightline imaging decision support",
        redirect_uris=(f"{base}/smart/callback",),
        launch_url=f"{base}/smart/launch",
        scopes=tuple(SIGHTLINE_SCOPES.split()),
        jwks_url=f"{base}/.well-known/jwks.json",
    )


class Clients:
    """All of them, by ``client_id``."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._by_id = {client.id: client for client in clients}

    def __iter__(self) -> Iterator[Client]:
        return iter(self._by_id.values())

    def get(self, client_id: str) -> Client | None:
        return self._by_id.get(client_id)

    def by_launch_url(self, url: str) -> Client | None:
        """The client that is launched at exactly ``url``."""
        return next((client for client in self if client.launch_url and client.launch_url == url), None)
