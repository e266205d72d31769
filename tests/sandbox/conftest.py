"""A sandbox of its own for each test, and tokens for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds.sandbox.app import create_app
from cds.sandbox.oauth.launch import Launch, LaunchContext
from cds.sandbox.parts import Sandbox
from cds.sandbox.records import Records
from tests.sandbox.smart_app import SmartApp, answered, registered

BASE = "http://sandbox.test"

Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    secret = registered(id="secretive", jwks=None, secret="correct horse battery staple")
    app = create_app(tmp_path, BASE, clients=(registered(), secret))
    yield app
    app.extensions["sandbox"].records.close()
    app.extensions["sandbox"].archive.close()


@pytest.fixture
def sandbox(app: Flask) -> Sandbox:
    parts: Sandbox = app.extensions["sandbox"]
    return parts


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def bearer(sandbox: Sandbox) -> Bearer:
    """Make an Authorization header: ``bearer("system/*.cruds")``."""

    def make(
        scopes: str = "system/*.cruds",
        *,
        patient: str | None = None,
        audience: str | None = None,
        lifetime_s: int = 60,
    ) -> dict[str, str]:
        token = sandbox.tokens.issue(
            subject="tester",
            client_id="tests",
            scopes=scopes.split(),
            audience=audience or sandbox.fhir_base,
            lifetime_s=lifetime_s,
            patient=patient,
        )
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real inputs; the test is skipped where there is none."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    place = Path(os.environ.get("SIGHTLINE_DATA", beside))
    if not place.is_dir():
        pytest.skip("no real input here: set SIGHTLINE_DATA to a folder that has synthea/ and dicom/")
    return place


def add_people(records: Records) -> None:
    records.update({"resourceType": "Practitioner", "id": "grey", "name": [{"text": "Dr Ada Grey"}]})
    records.update(
        {
            "resourceType": "Patient",
            "id": "p1",
            "name": [{"given": ["Pat"], "family": "Example"}],
            "gender": "female",
            "birthDate": "1960-02-03",
        }
    )
    records.update(
        {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "in-progress",
            "subject": {"reference": "Patient/p1"},
            "period": {"start": "2026-01-01T08:00:00Z"},
        }
    )


@pytest.fixture
def people(sandbox: Sandbox) -> None:
    """One clinician, and one patient who is here today."""
    add_people(sandbox.records)


@pytest.fixture
def smart_app(client: FlaskClient, people: None) -> SmartApp:
    return SmartApp(client)


@pytest.fixture
def launch(app: Flask) -> Callable[..., str]:
    """Start an EHR launch as the page would; the ``launch`` handle."""

    def start(client_id: str = "app", **context: object) -> str:
        known = {"user": "Practitioner/grey", "patient": "p1", "encounter": "e1"} | context
        handed: str = app.extensions["sandbox-oauth"].launches.issue(Launch(client_id, LaunchContext(**known)))
        return handed

    return start


@pytest.fixture
def code(smart_app: SmartApp, launch: Callable[..., str]) -> str:
    """A code fresh from an EHR launch."""
    return answered(smart_app.authorize(launch=launch()))["code"]
