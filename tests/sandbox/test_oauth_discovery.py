"""SMART App Launch 2.2 §7 and OpenID Connect Discovery: where everything is."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.sandbox.smart_app import BASE, ISSUER


def test_the_smart_configuration_needs_no_token_and_names_every_required_field(client: FlaskClient) -> None:
    document = client.get("/fhir/.well-known/smart-configuration").get_json()

    assert document["issuer"] == ISSUER
    assert document["authorization_endpoint"] == f"{BASE}/oauth/authorize"
    assert document["token_endpoint"] == f"{BASE}/oauth/token"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert set(document["grant_types_supported"]) >= {"authorization_code", "client_credentials"}
    assert {"launch-ehr", "client-confidential-asymmetric", "sso-openid-connect"} <= set(document["capabilities"])


@pytest.mark.parametrize("place", ["/fhir", ""])
def test_openid_discovery_answers_below_the_issuer_and_at_the_root(client: FlaskClient, place: str) -> None:
    document = client.get(f"{place}/.well-known/openid-configuration").get_json()

    assert document["issuer"] == ISSUER
    assert document["id_token_signing_alg_values_supported"] == ["ES384"]


def test_every_endpoint_that_is_named_is_there(client: FlaskClient) -> None:
    document = client.get("/fhir/.well-known/smart-configuration").get_json()

    for name in ("authorization", "token", "introspection", "revocation"):
        path = document[f"{name}_endpoint"].removeprefix(BASE)
        assert client.post(path).status_code in (400, 401), name


def test_the_key_set_holds_public_halves_alone(client: FlaskClient) -> None:
    (key,) = client.get("/oauth/jwks").get_json()["keys"]

    assert {"kid", "alg", "kty", "crv", "x", "y"} <= key.keys()
    assert "d" not in key
