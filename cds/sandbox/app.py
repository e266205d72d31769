"""The sandbox, built in one page: an EHR (FHIR server, authorization server, a page) and a PACS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import httpx
from flask import Flask

from cds.sandbox import cors, dicomweb, ehr, fhir, oauth
from cds.sandbox.access import AccessTokens
from cds.sandbox.archive import DicomArchive
from cds.sandbox.clients import Client, Clients, sightline
from cds.sandbox.ehr.films import Films
from cds.sandbox.ehr.ordering import CdsClient
from cds.sandbox.keys import SandboxKeys
from cds.sandbox.oauth import AuthorizationServer
from cds.sandbox.pacs import OwnPacs, StowPacs
from cds.sandbox.parts import Sandbox
from cds.sandbox.records import Records

DEFAULT_SERVICE_URL = "http://127.0.0.1:8480"
MAX_BODY_BYTES = 64 * 1024 * 1024


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
    ``service_url`` is the CDS service under trial, registered as ``sightline``, ``clients`` beside it.
    """
    base_url = base_url.rstrip("/")
    keys = SandboxKeys.load(home)
    archive = DicomArchive(home)
    real_pacs = StowPacs(pacs_url) if pacs_url else None
    parts = Sandbox(
        home=home,
        base_url=base_url,
        keys=keys,
        tokens=AccessTokens(keys.token, issuer=f"{base_url}/fhir"),
        records=Records(home / "records.sqlite"),
        archive=archive,
        pacs=real_pacs or OwnPacs(archive),
        pacs_root=real_pacs.root if real_pacs else f"{base_url}/dicom-web",
    )
    app = Flask("cds.sandbox")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["sandbox"] = parts

    app.register_blueprint(fhir.blueprint(), url_prefix="/fhir")
    if not pacs_url:
        app.register_blueprint(dicomweb.blueprint(), url_prefix="/dicom-web")
    authorization = _authorization_server(
        parts, Clients((sightline(service_url), *clients)), f"{service_url}/fhir"
    )
    oauth.init_app(app, authorization)
    cors.init_app(app, authorization.clients)
    # The EHR asks its own servers, in this process, as others do: it gets what its token permits and no more.
    within = httpx.Client(transport=httpx.WSGITransport(app))
    service = CdsClient(service_url, issuer=parts.fhir_base, keys=keys, tokens=parts.tokens, fhir=within)
    films = Films(parts.dicomweb_root, parts.tokens, within)
    ehr.init_app(app, ehr.Ehr(base_url, parts.records, authorization, service, films))
    return app


def _authorization_server(parts: Sandbox, clients: Clients, resource: str) -> AuthorizationServer:
    return AuthorizationServer(
        issuer=parts.fhir_base,
        base_url=parts.base_url,
        clients=clients,
        key=parts.keys.token,
        tokens=parts.tokens,
        records=parts.records,
        backend_audiences=(parts.fhir_base, parts.dicomweb_root),
        resources=(resource,),
    )
