"""What the sandbox is made of; every route finds it by :func:`sandbox`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from cds.sandbox.access import AccessTokens
from cds.sandbox.archive import DicomArchive
from cds.sandbox.keys import SandboxKeys
from cds.sandbox.pacs import Pacs
from cds.sandbox.records import Records


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts that its routes share; see :func:`sandbox`."""

    home: Path
    base_url: str
    keys: SandboxKeys
    tokens: AccessTokens
    records: Records
    archive: DicomArchive
    pacs: Pacs
    """Where images are stored: our own archive, or the real PACS."""
    pacs_root: str
    """The DICOMweb root for FHIR Endpoints to name; no user name or password is in it."""

    @property
    def fhir_base(self) -> str:
        """The FHIR server's base URL: the issuer, and the audience of tokens for it."""
        return f"{self.base_url}/fhir"

    @property
    def dicomweb_root(self) -> str:
        """The PACS's own DICOMweb root: the audience of tokens for it."""
        return f"{self.base_url}/dicom-web"


def sandbox() -> Sandbox:
    """The sandbox that serves the current request."""
    parts: Sandbox = current_app.extensions["sandbox"]
    return parts
