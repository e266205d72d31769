"""Apps in browsers (SMART App Launch 2.2, "Cross-Origin Resource Sharing"), and public clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds.sandbox.app import create_app
from tests.sandbox.conftest import BASE
from tests.sandbox.smart_app import registered

APP = {"Origin": "https://app.test"}
STRANGER = {"Origin": "https://stranger.test"}


@pytest.fixture
def public(tmp_path: Path) -> Iterator[FlaskClient]:
    """A sandbox with an app that has nothing to show."""
    app = create_app(tmp_path, BASE, clients=[registered(id="public", jwks=None)])
    yield app.test_client()
    app.extensions["sandbox"].records.close()
    app.extensions["sandbox"].archive.close()


@pytest.mark.parametrize("path", ["/fhir/Patient/p1", "/oauth/token"])
def test_a_registered_app_may_ask_from_its_own_origin(path: str, client: FlaskClient) -> None:
    preflight = client.options(path, headers={**APP, "Access-Control-Request-Method": "GET"})
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    for answer in (preflight, client.get(path, headers=APP)):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/fhir/Patient/p1", "/oauth/token", "/oauth/introspect", "/"])
def test_nobody_else_may(path: str, client: FlaskClient) -> None:
    for answer in (client.options(path, headers=STRANGER), client.get(path, headers=STRANGER)):
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_discovery_is_for_everybody(client: FlaskClient) -> None:
    answer = client.get("/fhir/.well-known/smart-configuration", headers=STRANGER)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_public_client_needs_its_name_alone(public: FlaskClient) -> None:
    form = {"grant_type": "authorization_code", "code": "x", "client_id": "public"}
    assert public.post("/oauth/token", data=form).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize("client_id", ["sightline", "nobody", ""])
def test_one_that_has_a_key_must_show_it(client_id: str, public: FlaskClient) -> None:
    form = {"grant_type": "authorization_code", "code": "x", "client_id": client_id}
    assert public.post("/oauth/token", data=form).status_code == 401


def test_a_public_client_learns_nothing_of_others_tokens(public: FlaskClient) -> None:
    answer = public.post("/oauth/introspect", data={"token": "x", "client_id": "public"})
    assert answer.status_code == 401


def test_a_public_client_has_no_backend(public: FlaskClient) -> None:
    form = {"grant_type": "client_credentials", "scope": "system/*.rs", "client_id": "public"}
    assert public.post("/oauth/token", data=form).get_json()["error"] == "unauthorized_client"
