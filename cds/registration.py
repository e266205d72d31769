"""The EHRs that we know: who they are, whom they serve, and every address that we may call for them.

One JSON file (``CDS_REGISTRATIONS_FILE``), a list of registrations::

    [{
      "issuer": "https://ehr.example/fhir",            the JWT's and the SMART launch's ``iss``
      "tenant": "st-elsewhere",                        whose rows these are
      "fhirServers": ["https://ehr.example/fhir"],     allowed as ``fhirServer``; a token goes nowhere else
      "jwks": {"keys": [...]},                         or "jwksUrl": "https://ehr.example/jwks"
      "algorithms": ["ES384", "RS384"],
      "clientId": "sightline",                         ours at the EHR's authorization server
      "oauthHosts": ["https://auth.ehr.example"],      origins of its OAuth endpoints, beside the issuer's own
      "origins": ["https://ehr.example"],              browser origins: CORS and frame-ancestors
      "pacs": [{"root": "https://pacs.example/dicom-web", "auth": "backend"}]
    }]

``auth`` of a PACS: ``none``; ``backend`` (a Backend Services token of the same EHR); ``basic:VARIABLE``
(``user:password`` in that environment variable).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from cds.errors import ConfigurationError, NotAllowed
from cds.settings import Settings

ASYMMETRIC = frozenset({"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})


def origin(url: str) -> str:
    """Scheme, host and port of ``url`` (RFC 6454), the port always spelled out.

    Raises :class:`NotAllowed` for what has no plain origin: other schemes, or a user name in the address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise NotAllowed("the address is not an http(s) URL") from None
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise NotAllowed("the address has no host, or carries a user name")
    return f"{parts.scheme}://{parts.hostname.lower()}:{port}"


@dataclass(frozen=True, slots=True)
class Pacs:
    """A DICOMweb root that we may read from and store to."""

    root: str
    auth: str = "none"


@dataclass(frozen=True, slots=True)
class Registration:
    """One EHR, and all that we may do with it."""

    issuer: str
    tenant: str
    fhir_servers: tuple[str, ...]
    algorithms: tuple[str, ...] = ("ES384", "RS384")
    jwks: Mapping[str, Any] | None = None
    jwks_url: str | None = None
    client_id: str = ""
    oauth_hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    pacs: tuple[Pacs, ...] = ()

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Raise :class:`ConfigurationError` with what is wrong."""
        try:
            registration = cls(
                issuer=entry["issuer"],
                tenant=entry["tenant"],
                fhir_servers=tuple(url.rstrip("/") for url in entry["fhirServers"]),
                algorithms=tuple(entry.get("algorithms", ("ES384", "RS384"))),
                jwks=entry.get("jwks"),
                jwks_url=entry.get("jwksUrl"),
                client_id=entry.get("clientId", ""),
                oauth_hosts=tuple(origin(url) for url in entry.get("oauthHosts", ())),
                origins=tuple(entry.get("origins", ())),
                pacs=tuple(Pacs(p["root"].rstrip("/"), p.get("auth", "none")) for p in entry.get("pacs", ())),
            )
        except KeyError as lacking:
            raise ConfigurationError(f"a registration lacks {lacking}") from None
        except (TypeError, AttributeError):
            raise ConfigurationError(f"registration {entry.get('issuer')}: a value is not of its kind") from None
        registration._check()
        return registration

    def _check(self) -> None:
        if not all(isinstance(name, str) and name for name in (self.issuer, self.tenant)):
            raise ConfigurationError("a registration's issuer and tenant must be text")
        if not (self.jwks or self.jwks_url):
            raise ConfigurationError(f"registration {self.issuer}: give jwks or jwksUrl")
        if unknown := set(self.algorithms) - ASYMMETRIC:
            raise ConfigurationError(f"registration {self.issuer}: {sorted(unknown)} cannot sign for an EHR")
        for url in self.urls:
            origin(url)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address of the registration that we might call."""
        keys = (self.jwks_url,) if self.jwks_url else ()
        return (*self.fhir_servers, *self.oauth_hosts, *(p.root for p in self.pacs), *keys)

    def fhir_server(self, url: str) -> str:
        """The registered FHIR base that ``url`` names exactly, else :class:`NotAllowed`."""
        origin(url)
        wanted = url.rstrip("/")
        if wanted in self.fhir_servers:
            return wanted
        raise NotAllowed("the FHIR server is not registered for this issuer")

    def pacs_for(self, url: str) -> Pacs:
        """The registered PACS whose root contains ``url``, else :class:`NotAllowed`."""
        for pacs in self.pacs:
            if origin(url) == origin(pacs.root) and (url.rstrip("/") + "/").startswith(pacs.root + "/"):
                return pacs
        raise NotAllowed("the PACS is not registered for this issuer")

    def allows_oauth(self, url: str) -> bool:
        """Whether an OAuth endpoint of this EHR may live at ``url``."""
        hosts = {origin(server) for server in self.fhir_servers} | set(self.oauth_hosts)
        return origin(url) in hosts


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a registrations file, as they stand there."""
    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"CDS_REGISTRATIONS_FILE {path} cannot be read: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(f"CDS_REGISTRATIONS_FILE {path} must be a JSON list of registrations")
    return entries


class Registrations:
    """All of them, by issuer and by FHIR server."""

    def __init__(self, registrations: Iterable[Registration]) -> None:
        self._by_issuer = {r.issuer: r for r in registrations}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Those of ``CDS_REGISTRATIONS_FILE``; none where it is not set: then nobody may call."""
        return cls.from_file(settings.registrations_file) if settings.registrations_file else cls(())

    @classmethod
    def from_file(cls, path: Path) -> Self:
        return cls(Registration.from_json(entry) for entry in read_entries(path))

    def __iter__(self) -> Iterator[Registration]:
        return iter(self._by_issuer.values())

    def by_issuer(self, issuer: str) -> Registration | None:
        return self._by_issuer.get(issuer)

    def by_fhir_server(self, url: str) -> Registration | None:
        """The registration that serves this FHIR base: a SMART launch's ``iss`` is one."""
        wanted = url.rstrip("/")
        return next((r for r in self._by_issuer.values() if wanted in r.fhir_servers), None)

    def by_tenant(self, tenant: str) -> tuple[Registration, ...]:
        return tuple(r for r in self._by_issuer.values() if r.tenant == tenant)
