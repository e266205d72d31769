"""Which PACS we may open for an EHR, and with what credentials."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from cds import tls
from cds.ehr.backend_services import BackendServices
from cds.errors import ConfigurationError, Missing, NotAllowed
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
from cds.registration import Pacs, Registration, Registrations
from cds.transport import Transport

SCOPES = ("system/ImagingStudy.rs",)
STORING = ("system/ImagingStudy.crus",)
"""There is no scope of DICOMweb's own; this says what is done with the study."""


def transports(registrations: Registrations) -> dict[str, httpx.BaseTransport]:
    """By origin, for the HTTP client that is to call them: the PACS with certificates of their own.

    Raises :class:`ConfigurationError` where a file cannot be used.
    """
    return {
        origin: Transport(tls.context(*files, f"the certificate or ca of the PACS {origin}"))
        for origin, files in registrations.pacs_tls.items()
        if any(files)
    }


@dataclass(frozen=True, slots=True)
class PacsAccess:
    """Opens DICOMweb roots that a registration names, and no others."""

    http: httpx.Client
    backend: BackendServices
    max_bytes: int
    timeout_s: float
    """Not a hook's deadline: an image that comes too late for this answer is there for the next."""

    def opener(self, registration: Registration, fhir_base: str) -> Callable[[str], DICOMweb]:
        """``open(url)`` for one EHR; raises :class:`~cds.errors.NotAllowed` for a root that it does not name."""

        def open_pacs(url: str) -> DICOMweb:
            return self._opened(registration, fhir_base, registration.pacs_for(url), SCOPES)

        return open_pacs

    def to_store(self, registration: Registration, prescreen: Prescreen) -> DICOMweb:
        """The PACS that holds the study of a prescreen, to store what was found; it must ask for that."""
        if prescreen.study is None:
            raise Missing("there is no image")
        pacs = registration.pacs_for(prescreen.study.root)
        if not pacs.results:
            raise NotAllowed("the PACS is not registered to be given results")
        return self._opened(registration, prescreen.fhir_server, pacs, STORING)

    def _opened(self, registration: Registration, fhir_base: str, pacs: Pacs, scopes: Sequence[str]) -> DICOMweb:
        auth = self._auth(registration, fhir_base, pacs, scopes)
        return DICOMweb(self.http, pacs.root, auth, max_bytes=self.max_bytes, timeout=self.timeout_s)

    def _auth(
        self, registration: Registration, fhir_base: str, pacs: Pacs, scopes: Sequence[str]
    ) -> httpx.Auth | None:
        scheme, _, variable = pacs.auth.partition(":")
        if scheme == "backend":
            return self.backend.auth(registration, fhir_base, scopes, root=pacs.root)
        return _basic(variable) if scheme == "basic" else None


def _basic(variable: str) -> httpx.BasicAuth:
    user, separator, password = os.environ.get(variable, "").partition(":")
    if not separator:
        raise ConfigurationError(f"{variable} must hold user:password for a PACS")
    return httpx.BasicAuth(user, password)
