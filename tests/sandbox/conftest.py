"""A sandbox of its own for each test, and tokens for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds.sandbox.app import Sandbox, create_app

BASE = "http://sandbox.test"

Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(tmp_path, BASE)
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
