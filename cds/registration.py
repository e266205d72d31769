"""The EHRs that we know: who they are, whom they serve, and every address that we may call for them.

One JSON file (``CDS_REGISTRATIONS_FILE``), a list of registrations::

    [{
      "issuer": "https://ehr.example/fhir",            the JWT's and the SMART launch's ``iss``
      "tenant": "st-elsewhere",                        whose rows these are
      "fhirServers": ["https://ehr.example/fhir"],     allowed as ``fhirServer``; a token goes nowhere else
      "jwks": {"keys": [...]},                         or "jwksUrl": "https://ehr.example/jwks"
      "algorithms": ["ES384", "RS384"],
      "clientId": "sightline",                         ours at the EHR's authorization server
      "clientSecretVariable": "GENERAL_SECRET",        the environment variable with our secret there, if it has no
                                                       private_key_jwt
      "name": "General Hospital",                      what a clinician calls it
      "standalone": true,                              whether the app may be opened without the EHR
      "oauthHosts": ["https://auth.ehr.example"],      origins of its OAuth endpoints, beside the issuer's own
      "origins": ["https://ehr.example"],              browser origins: CORS and frame-ancestors
      "pacs": [{"root": "https://pacs.example/dicom-web", "auth": "backend", "results": ["SR", "SC"]}],
      "accessTokens": {                                who may read our own /fhir; without it, nobody
        "issuer": "https://auth.ehr.example",          the tokens' ``iss``
        "jwks": {"keys": [...]}                        or "jwksUrl", or "introspectionUrl" (RFC 7662)
      },
      "auditRepository": {                             its tenant's own, in the place of the operator's
        "url": "https://arr.ehr.example/fhir",
        "tokenVariable": "GENERAL_ARR_TOKEN"           the environment variable with our bearer token there, if any
      },
      "roles": {                                       who has which, by claims of the id_token; see :class:`Role`
        "radiologist": {"groups": ["radiology"]},
        "auditor": {"fhirUser": ["Practitioner/7"]}
      }
    }]

``auth`` of a PACS: ``none``; ``backend`` (a Backend Services token of the same EHR); ``basic:VARIABLE``
(``user:password`` in that environment variable). ``results``: what it is given of our findings, of ``SR`` and
``SC``; without it, nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from cds.errors import ConfigurationError, NotAllowed
from cds.settings import Settings

ASYMMETRIC = frozenset({"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
RESULTS = ("SR", "SC")
"""What a PACS may be given: a Structured Report, and Secondary Captures with what speaks for a finding."""
TOKEN_ALGORITHMS = ("ES384", "RS384", "ES256", "RS256")


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


class Role(StrEnum):
    """What a user may do beside looking at the patient in context, as every clinician may."""

    RADIOLOGIST = "radiologist"
    """Has the worklist, and signs."""
    AUDITOR = "auditor"
    """Reads the audit trail."""
    ADMINISTRATOR = "administrator"
    """Sees the worklist and the audit trail, and changes neither."""


@dataclass(frozen=True, slots=True)
class Pacs:
    """A DICOMweb root that we may read from, and store ``results`` to."""

    root: str
    auth: str = "none"
    results: tuple[str, ...] = ()
    """The kinds of :data:`RESULTS` that it asks for."""
    certificate: str = ""
    """A PEM file with our certificate there and its key, where it asks for one (mTLS)."""
    ca: str = ""
    """A PEM file with the certificates to trust there; else the public ones."""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        results, files = tuple(entry.get("results", ())), (entry.get("certificate", ""), entry.get("ca", ""))
        return cls(entry["root"].rstrip("/"), entry.get("auth", "none"), results, *files)

    @property
    def tls(self) -> tuple[str, str]:
        """Its files."""
        return self.ca, self.certificate

    def faults(self) -> Iterator[str]:
        if strange := [result for result in self.results if result not in RESULTS]:
            yield f"no PACS can be given {strange}"
        if not all(isinstance(file, str) for file in self.tls):
            yield "pacs.certificate and pacs.ca must name files"
        if any(self.tls) and not self.root.startswith("https://"):
            yield "a PACS with a certificate or ca must have an https root"


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """The tokens that an EHR's authorization server gives for our own FHIR endpoint, and how they are verified."""

    issuer: str
    jwks: Mapping[str, Any] | None = None
    jwks_url: str | None = None
    introspection_url: str | None = None
    algorithms: tuple[str, ...] = TOKEN_ALGORITHMS

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        return cls(
            issuer=entry["issuer"],
            jwks=entry.get("jwks"),
            jwks_url=entry.get("jwksUrl"),
            introspection_url=entry.get("introspectionUrl"),
            algorithms=tuple(entry.get("algorithms", TOKEN_ALGORITHMS)),
        )

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(url for url in (self.jwks_url, self.introspection_url) if url)

    def faults(self) -> Iterator[str]:
        if not isinstance(self.issuer, str) or not self.issuer:
            yield "accessTokens.issuer must be text"
        if sum(map(bool, (self.jwks, self.jwks_url, self.introspection_url))) != 1:
            yield "accessTokens needs one of jwks, jwksUrl and introspectionUrl"
        if unknown := set(self.algorithms) - ASYMMETRIC:
            yield f"accessTokens: {sorted(unknown)} cannot sign for an EHR"


@dataclass(frozen=True, slots=True)
class AuditRepositoryOf:
    """A tenant's own audit record repository (IHE ITI-20)."""

    url: str
    token_variable: str = ""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        return cls(entry["url"].rstrip("/"), entry.get("tokenVariable", ""))

    def token(self) -> str:
        """Our bearer token there, if it wants one; :class:`ConfigurationError` where its variable is empty."""
        token = os.environ.get(self.token_variable, "") if self.token_variable else ""
        if self.token_variable and not token:
            raise ConfigurationError(f"{self.token_variable} must hold the token for an audit repository")
        return token


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
    client_secret_variable: str = ""
    name: str = ""
    """What a clinician calls the EHR."""
    standalone: bool = False
    """Whether a clinician may open the app without it, by a standalone launch."""
    oauth_hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    pacs: tuple[Pacs, ...] = ()
    access_tokens: AccessTokens | None = None
    audit_repository: AuditRepositoryOf | None = None
    roles: Mapping[Role, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By role, and by claim: the values of which one gives the role."""

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
                client_secret_variable=entry.get("clientSecretVariable", ""),
                name=entry.get("name", entry["tenant"]),
                standalone=entry.get("standalone", False),
                oauth_hosts=tuple(origin(url) for url in entry.get("oauthHosts", ())),
                origins=tuple(entry.get("origins", ())),
                pacs=tuple(Pacs.from_json(pacs) for pacs in entry.get("pacs", ())),
                access_tokens=AccessTokens.from_json(entry["accessTokens"]) if "accessTokens" in entry else None,
                audit_repository=(
                    AuditRepositoryOf.from_json(entry["auditRepository"]) if "auditRepository" in entry else None
                ),
                roles=_roles(entry.get("roles", {})),
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
        if not isinstance(self.standalone, bool):
            raise ConfigurationError(f"registration {self.issuer}: standalone must be true or false")
        if self.jwks is not None and not isinstance(self.jwks, dict):
            raise ConfigurationError(f"registration {self.issuer}: jwks must be a JWK Set")
        if not (self.jwks or self.jwks_url):
            raise ConfigurationError(f"registration {self.issuer}: give jwks or jwksUrl")
        if unknown := set(self.algorithms) - ASYMMETRIC:
            raise ConfigurationError(f"registration {self.issuer}: {sorted(unknown)} cannot sign for an EHR")
        for fault in self.access_tokens.faults() if self.access_tokens else ():
            raise ConfigurationError(f"registration {self.issuer}: {fault}")
        if strange := [fault for pacs in self.pacs for fault in pacs.faults()]:
            raise ConfigurationError(f"registration {self.issuer}: {strange[0]}")
        if self.audit_repository and not self.audit_repository.url.startswith("https://"):
            raise ConfigurationError(f"registration {self.issuer}: auditRepository.url must be an https URL")
        for url in self.urls:
            origin(url)

    def client_secret(self) -> str:
        """Our secret at the EHR; :class:`ConfigurationError` where its variable is empty."""
        secret = os.environ.get(self.client_secret_variable, "")
        if not secret:
            raise ConfigurationError(
                f"registration {self.issuer}: {self.client_secret_variable} must hold our client secret"
            )
        return secret

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address of the registration that we might call."""
        keys = (self.jwks_url,) if self.jwks_url else ()
        tokens = self.access_tokens.urls if self.access_tokens else ()
        audit = (self.audit_repository.url,) if self.audit_repository else ()
        return (*self.fhir_servers, *self.oauth_hosts, *self.pacs_roots, *keys, *tokens, *audit)

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

    @property
    def pacs_roots(self) -> tuple[str, ...]:
        """Of every PACS: there a study is looked for of which no Endpoint says where it is."""
        return tuple(pacs.root for pacs in self.pacs)

    def roles_of(self, claims: Mapping[str, Any]) -> tuple[Role, ...]:
        """The roles of a user whose id_token, which is verified, has these claims."""
        return tuple(role for role, wanted in self.roles.items() if _any_holds(wanted, claims))

    def allows_oauth(self, url: str) -> bool:
        """Whether an OAuth endpoint of this EHR may live at ``url``."""
        hosts = {origin(server) for server in self.fhir_servers} | set(self.oauth_hosts)
        return origin(url) in hosts


def _roles(entry: Mapping[str, Any]) -> dict[Role, dict[str, tuple[str, ...]]]:
    if unknown := set(entry) - set(Role):
        raise ConfigurationError(f"there is no role {sorted(unknown)[0]}; there are {', '.join(Role)}")
    given = {Role(role): dict(claims.items()) for role, claims in entry.items()}
    if not all(isinstance(values, list) for claims in given.values() for values in claims.values()):
        raise ConfigurationError("a role is given by claims, each with a list of values")
    return {role: {claim: tuple(values) for claim, values in claims.items()} for role, claims in given.items()}


def _any_holds(wanted: Mapping[str, tuple[str, ...]], claims: Mapping[str, Any]) -> bool:
    """Whether a claim, one value or a list of them, has one that is wanted."""
    for claim, values in wanted.items():
        held = claims.get(claim)
        if set(values) & {one for one in (held if isinstance(held, list) else [held]) if isinstance(one, str)}:
            return True
    return False


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
        giving = [r for r in self._by_issuer.values() if r.access_tokens]
        self._by_token_issuer = {r.access_tokens.issuer: r for r in giving if r.access_tokens}
        if len(self._by_token_issuer) < len(giving):
            raise ConfigurationError("two registrations name one issuer of access tokens")
        named = {(r.tenant, r.audit_repository) for r in self._by_issuer.values() if r.audit_repository}
        self.audit_repositories: Mapping[str, AuditRepositoryOf] = dict(named)
        """By tenant: its own, where it has one."""
        if len(self.audit_repositories) < len(named):
            raise ConfigurationError("two registrations of one tenant name different audit repositories")
        pacs = {(origin(pacs.root), pacs.tls) for r in self._by_issuer.values() for pacs in r.pacs}
        self.pacs_tls: Mapping[str, tuple[str, str]] = dict(pacs)
        """By origin: whom we trust there, and our certificate."""
        if len(self.pacs_tls) < len(pacs):
            raise ConfigurationError("two registrations name different certificates for one PACS")

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

    def by_token_issuer(self, issuer: str) -> Registration | None:
        """The registration whose authorization server gives tokens for our own FHIR endpoint."""
        return self._by_token_issuer.get(issuer)

    def by_fhir_server(self, url: str) -> Registration | None:
        """The registration that serves this FHIR base: a SMART launch's ``iss`` is one."""
        wanted = url.rstrip("/")
        return next((r for r in self._by_issuer.values() if wanted in r.fhir_servers), None)

    def by_tenant(self, tenant: str) -> tuple[Registration, ...]:
        return tuple(r for r in self._by_issuer.values() if r.tenant == tenant)

    def of_tenant(self, tenant: str, fhir_server: str) -> Registration:
        """The registration that serves this FHIR base; :class:`NotAllowed` where it is not that tenant's."""
        found = self.by_fhir_server(fhir_server)
        if found is None or found.tenant != tenant:
            raise NotAllowed("the FHIR server is registered for no EHR of this tenant")
        return found
