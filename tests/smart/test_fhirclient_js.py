"""An app of other hands: SMART's own fhirclient.js is launched by the sandbox EHR, in Chromium.

So the sandbox is a fair stand-in for an EHR: what launches there is not only our own reading of the standard.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask, Response, jsonify, send_from_directory
from joserfc.jwk import ECKey
from playwright.sync_api import Browser, Page, expect

from cds.sandbox.app import create_app
from cds.sandbox.clients import Client
from cds.sandbox.oauth import AuthorizationServer
from cds.sandbox.oauth.launch import Launch, LaunchContext, launch_url
from tests.serving import listening
from tests.smart.conftest import PATIENT

PEER = Path(__file__).with_name("fhirclient")
LIBRARY = PEER / "node_modules" / "fhirclient" / "build" / "fhir-client.js"
SCOPES = "openid fhirUser patient/Patient.r patient/ImagingStudy.rs user/Practitioner.r"
KEY = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)
STUDY = {"resourceType": "ImagingStudy", "id": "s1", "status": "available", "subject": {"reference": "Patient/p1"}}


@dataclass(frozen=True)
class Ehr:
    """The sandbox, and the app beside it as each kind of client."""

    oauth: AuthorizationServer
    app_url: str

    def launch_url(self, client_id: str) -> str:
        client = self.oauth.clients.get(client_id)
        assert client
        context = LaunchContext(
            user="Practitioner/u1",
            patient="p1",
            encounter="e1",
            need_patient_banner=False,
            references=("ImagingStudy/s1",),
        )
        return launch_url(client, self.oauth.issuer, self.oauth.launches.issue(Launch(client_id, context)))


def peer() -> Flask:
    """Serves the app, once for each way of being a client."""
    app = Flask("peer")
    proofs: dict[str, dict[str, Any]] = {"public": {}, "keys": {"clientPrivateJwk": KEY.as_dict(private=True)}}

    @app.get("/<kind>/<name>")
    def file(kind: str, name: str) -> Response:
        if name == "client.json":
            return jsonify({"clientId": kind, "scope": f"launch launch/patient {SCOPES}", **proofs[kind]})
        return send_from_directory(LIBRARY.parent if name == LIBRARY.name else PEER, name)

    return app


@pytest.fixture(scope="module")
def ehr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ehr]:
    if not LIBRARY.exists():
        pytest.skip("run `npm ci` in tests/smart/fhirclient")
    with listening() as address, listening() as app:
        clients = [
            Client(
                kind,
                "fhirclient.js",
                redirect_uris=(f"{app.base_url}/{kind}/app.html",),
                launch_url=f"{app.base_url}/{kind}/launch.html",
                scopes=("launch", "launch/patient", *SCOPES.split()),
                jwks=jwks,
            )
            for kind, jwks in (("public", None), ("keys", {"keys": [KEY.as_dict(private=False)]}))
        ]
        app.app = peer()
        address.app = create_app(tmp_path_factory.mktemp("peer"), address.base_url, clients=clients)
        sandbox = address.app.extensions["sandbox"]
        practitioner = {"resourceType": "Practitioner", "id": "u1", "name": [{"text": "Dr Grey"}]}
        for resource in (PATIENT, STUDY, practitioner):
            sandbox.records.update(dict(resource))
        yield Ehr(address.app.extensions["sandbox-oauth"], app.base_url)
        sandbox.records.close()
        sandbox.archive.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    yield page
    page.close()


def seen(page: Page) -> dict[str, Any]:
    """What the app shows once it is ready."""
    shown = page.locator("#seen")
    expect(shown).not_to_be_empty()
    read: dict[str, Any] = json.loads(shown.inner_text())
    return read


@pytest.mark.parametrize("kind", ["public", "keys"])
def test_an_ehr_launch(kind: str, page: Page, ehr: Ehr) -> None:
    page.goto(ehr.launch_url(kind))
    read = seen(page)
    granted = read.pop("scope").split()
    assert read == {
        "patient": "Okafor",
        "encounter": "e1",
        "user": "Practitioner/u1",
        "studies": ["s1"],
        "banner": False,
        "context": [{"reference": "ImagingStudy/s1"}],
    }
    assert {"launch", "patient/Patient.r", "patient/ImagingStudy.rs"} <= set(granted)


def test_a_launch_is_good_once(page: Page, ehr: Ehr) -> None:
    url = ehr.launch_url("public")
    page.goto(url)
    assert seen(page)["patient"] == "Okafor"
    page.goto(url)
    assert "launch is unknown, used before" in seen(page)["error"]


def test_a_handle_that_was_made_up_opens_nothing(page: Page, ehr: Ehr) -> None:
    query = urlencode({"iss": ehr.oauth.issuer, "launch": secrets.token_urlsafe(32)})
    page.goto(f"{ehr.app_url}/public/launch.html?{query}")
    assert "launch is unknown" in seen(page)["error"]
