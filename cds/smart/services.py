"""What the app is made of; everything comes from outside, nothing is looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from cds.audit.search import AuditTrails
from cds.ehr.issuer_keys import IssuerKeys
from cds.ehr.smart_configuration import Discovery
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
from cds.keys import Keys
from cds.registration import Registration, Registrations
from cds.reporting.models import ModelCards
from cds.reporting.sign_off import SignOffs
from cds.reporting.worklist import Worklist
from cds.settings import Settings
from cds.store.valkey import Valkey

OpenPacs = Callable[[Registration, str], Callable[[str], DICOMweb]]
"""Opens, for an EHR's FHIR server, the PACS at a DICOMweb root, else raises :class:`~cds.errors.UpstreamError`."""


class OnEvent(Protocol):
    """Keeps AuditEvents (:mod:`cds.audit.balp`) of a tenant, all or none; what it raises ends the request."""

    def __call__(self, tenant: str, /, *events: Mapping[str, Any]) -> None: ...


Afterwards = Callable[[Callable[[], None]], None]
"""Does what nobody waits for, soon, unless too much of it is waiting."""

Explain = Callable[[Prescreen, str, DICOMweb], bytes]
"""What of a prescreen's film speaks for a finding, as a PNG to lay over it (:class:`cds.explain.Explaining`)."""


class Prescreens(Protocol):
    """Where prescreens are kept."""

    def by_id(self, tenant: str, id: str, /) -> Prescreen | None: ...

    def latest(self, tenant: str, fhir_server: str, patient: str, /) -> Prescreen | None:
        """The last one of ``Patient/{id}`` on that FHIR server that stands."""
        ...

    def recent(self, tenant: str, fhir_server: str, patient: str, limit: int, /) -> list[Prescreen]:
        """Those that stand, the latest first; ``limit`` are looked through."""
        ...

    def stands(self, prescreen: Prescreen, /) -> bool:
        """Whether no model of it was withdrawn."""
        ...


@dataclass(frozen=True, slots=True)
class SmartServices:
    """All that :func:`cds.smart.blueprint` needs."""

    settings: Settings
    keys: Keys
    registrations: Registrations
    http: httpx.Client
    ehrs: Discovery
    issuer_keys: IssuerKeys
    valkey: Valkey
    prescreens: Prescreens
    open_pacs: OpenPacs
    explain: Explain
    on_event: OnEvent
    sign_offs: SignOffs
    model_cards: ModelCards
    worklist: Worklist
    audit_trails: AuditTrails
    afterwards: Afterwards

    @property
    def timeout_s(self) -> float:
        """How long one call to an EHR may take."""
        return self.settings.upstream_timeout_ms / 1000

    @property
    def redirect_uri(self) -> str:
        """Registered with every EHR, character for character."""
        return f"{self.settings.base_url}/smart/callback"
