"""The sandbox, built in one page: an EHR (FHIR server, authorization server, a page) and a PACS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Flask, current_app

from cds.sandbox.access import AccessTokens
from cds.sandbox.keys import SandboxKeys
from cds.sandbox.records import Records

MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts that its routes share; see :func:`sandbox`."""

    home: Path
    base_url: str
    keys: SandboxKeys
    tokens: AccessTokens
    records: Records

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


def create_app(
    home: Path,
    base_url: str,
    *,
    pacs_url: str = "",
    service_url: str = DEFAULT_SERVICE_URL,
    clients: Iterable[Client] = (),
) -> Flask:
    """The whole sandbox; its state lives under ``home``, and others reach it at ``base_url``.

    With ``pacs_url``, the DICOMweb root of a real PACS, the sandbox serves no DICOMweb of its own.
    ``service_url`` is the CDS service under trial, registered as ``sightline``; ``clients`` are registered beside it.
    """
    base_url = base_url.rstrip("/")
    keys = SandboxKeys.load(home)
    parts = Sandbox(
        home=home,
        base_url=base_url,
        keys=keys,
        tokens=AccessTokens(keys.token, issuer=f"{base_url}/fhir"),
        records=Records(home / "records.sqlite"),
    )
    app = Flask("cds.sandbox")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["sandbox"] = parts

    registered = Clients((clients_module.sightline(service_url), *clients))
    oauth.init_app(app, parts, registered)
    ehr.init_app(app, parts, registered, service_url)
    return app
