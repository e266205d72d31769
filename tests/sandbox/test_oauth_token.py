"""The token endpoint: RFC 6749 §4.1.3, §4.4 and §6, RFC 7636 §4.6, SMART App Launch 2.2."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from tests.sandbox.smart_app import ISSUER, SCOPE, SmartApp, answered, signed_in

Start = Callable[..., str]


def refused(response: TestResponse) -> str:
    """The error of §5.2, whose form is checked here."""
    body = response.get_json()
    assert body.keys() == {"error", "error_description"}
    assert response.status_code == (401 if body["error"] == "invalid_client" else 400)
    assert response.headers["Cache-Control"] == "no-store"
    return str(body["error"])


def read_patient(client: FlaskClient, token: str, id: str = "p1") -> int:
    return client.get(f"/fhir/Patient/{id}", headers={"Authorization": f"Bearer {token}"}).status_code


class TestAuthorizationCode:
    def test_a_code_gives_a_token_with_the_launch_context(self, smart_app: SmartApp, launch: Start) -> None:
        handle = launch(app_context="opaque", intent="review", references=("ImagingStudy/s1",))
        response = smart_app.redeem(answered(smart_app.authorize(launch=handle))["code"])

        body = response.get_json()
        assert response.headers["Cache-Control"] == "no-store"
        assert body["token_type"] == "Bearer"
        assert body["expires_in"] == 3600
        assert body["scope"] == SCOPE
        assert (body["patient"], body["encounter"]) == ("p1", "e1")
        assert (body["appContext"], body["intent"]) == ("opaque", "review")
        assert body["fhirContext"] == [{"reference": "ImagingStudy/s1"}]
        assert body["need_patient_banner"] is True

    def test_without_a_patient_no_banner_is_needed_and_that_is_said(
        self, smart_app: SmartApp, launch: Start
    ) -> None:
        handle = launch(patient="", encounter="")
        body = smart_app.redeem(answered(smart_app.authorize(launch=handle))["code"]).get_json()
        assert "patient" not in body
        assert body["need_patient_banner"] is False

    def test_the_token_opens_the_patient_in_context_and_no_other(
        self, smart_app: SmartApp, code: str, app: Flask
    ) -> None:
        app.extensions["sandbox"].records.update({"resourceType": "Patient", "id": "p2"})
        token = smart_app.redeem(code).get_json()["access_token"]

        assert read_patient(smart_app.browser, token) == 200
        assert read_patient(smart_app.browser, token, "p2") in (403, 404)

    def test_a_code_is_used_once_and_a_second_use_ends_what_came_of_it(
        self, smart_app: SmartApp, code: str
    ) -> None:
        first = smart_app.redeem(code).get_json()
        assert read_patient(smart_app.browser, first["access_token"]) == 200

        assert refused(smart_app.redeem(code)) == "invalid_grant"
        assert read_patient(smart_app.browser, first["access_token"]) == 401
        refresh = smart_app.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert refused(refresh) == "invalid_grant"

    @pytest.mark.parametrize("verifier", ["", "short", "x" * 43, "x" * 129, "ü" * 43])
    def test_the_verifier_must_match_the_challenge(self, smart_app: SmartApp, code: str, verifier: str) -> None:
        assert refused(smart_app.redeem(code, code_verifier=verifier)) == "invalid_grant"

    def test_the_redirect_uri_must_be_the_same(self, smart_app: SmartApp, code: str) -> None:
        assert refused(smart_app.redeem(code, redirect_uri="https://app.test/other")) == "invalid_grant"

    def test_a_code_of_another_client_is_refused(
        self, smart_app: SmartApp, client: FlaskClient, code: str
    ) -> None:
        form = {"grant_type": "authorization_code", "code": code}
        response = client.post("/oauth/token", data=form, auth=("secretive", "correct horse battery staple"))

        assert refused(response) == "invalid_grant"

    def test_a_code_lives_a_minute(self, smart_app: SmartApp, code: str, app: Flask) -> None:
        app.extensions["sandbox-oauth"].codes._clock = lambda: time.time() + 61

        assert refused(smart_app.redeem(code)) == "invalid_grant"

    def test_a_parameter_given_twice_is_refused(self, smart_app: SmartApp, code: str) -> None:
        assert (
            refused(smart_app.token(grant_type=["client_credentials", "authorization_code"])) == "invalid_request"
        )

    def test_another_grant_type_is_named(self, smart_app: SmartApp) -> None:
        assert refused(smart_app.token(grant_type="password")) == "unsupported_grant_type"


class TestScopes:
    """SMART §6: no more than was registered, and no more than was asked for."""

    @pytest.mark.parametrize(
        ("asked", "granted"),
        [
            ("launch patient/Patient.cruds", "launch patient/Patient.rs"),
            ("launch patient/*.cruds", "launch patient/*.rs"),
            ("launch patient/Patient.read", "launch patient/Patient.rs"),
            ("launch user/Patient.rs patient/Patient.r", "launch patient/Patient.r"),
            ("launch system/Patient.rs patient/Patient.r", "launch patient/Patient.r"),
            ("launch offline_access nonsense", "launch"),
        ],
    )
    def test_the_grant_shrinks_to_the_registration(
        self, smart_app: SmartApp, launch: Start, asked: str, granted: str
    ) -> None:
        code = answered(smart_app.authorize(launch=launch(), scope=asked))["code"]

        assert smart_app.redeem(code).get_json()["scope"] == granted

    def test_no_openid_no_id_token_no_online_access_no_refresh_token(
        self, smart_app: SmartApp, launch: Start
    ) -> None:
        code = answered(smart_app.authorize(launch=launch(), scope="launch patient/Patient.r"))["code"]

        assert not {"id_token", "refresh_token"} & smart_app.redeem(code).get_json().keys()


class TestIdToken:
    """OpenID Connect Core §2 and §3.1.3.7, SMART's ``fhirUser``."""

    def test_it_verifies_with_the_published_keys(self, smart_app: SmartApp, code: str) -> None:
        keys = KeySet.import_key_set(smart_app.browser.get("/oauth/jwks").get_json())
        token = jwt.decode(smart_app.redeem(code).get_json()["id_token"], keys, algorithms=["ES384"])

        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": "app"},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": smart_app.nonce},
        )
        registry.validate(token.claims)
        assert token.claims["fhirUser"] == f"{ISSUER}/Practitioner/grey"
        assert token.claims["sub"] == "grey"


class TestRefresh:
    @pytest.fixture
    def issued(self, smart_app: SmartApp, code: str) -> dict[str, Any]:
        body: dict[str, Any] = smart_app.redeem(code).get_json()
        return body

    def refresh(self, smart_app: SmartApp, token: str, **form: str) -> TestResponse:
        return smart_app.token(grant_type="refresh_token", refresh_token=token, **form)

    def test_it_is_replaced_and_the_context_stays(self, smart_app: SmartApp, issued: dict[str, Any]) -> None:
        renewed = self.refresh(smart_app, issued["refresh_token"]).get_json()

        assert renewed["refresh_token"] != issued["refresh_token"]
        assert renewed["patient"] == "p1"
        assert read_patient(smart_app.browser, renewed["access_token"]) == 200

    def test_shown_twice_it_ends_the_whole_authorization(
        self, smart_app: SmartApp, issued: dict[str, Any]
    ) -> None:
        renewed = self.refresh(smart_app, issued["refresh_token"]).get_json()

        assert refused(self.refresh(smart_app, issued["refresh_token"])) == "invalid_grant"
        assert refused(self.refresh(smart_app, renewed["refresh_token"])) == "invalid_grant"
        assert read_patient(smart_app.browser, renewed["access_token"]) == 401

    def test_the_scope_may_shrink_and_not_grow(self, smart_app: SmartApp, issued: dict[str, Any]) -> None:
        asked = "patient/Patient.cruds patient/Condition.rs"
        renewed = self.refresh(smart_app, issued["refresh_token"], scope=asked).get_json()

        assert renewed["scope"] == "patient/Patient.r"


class TestBackendServices:
    """SMART App Launch 2.2, "Backend Services"."""

    def test_system_scopes_for_five_minutes_and_no_refresh_token(self, smart_app: SmartApp) -> None:
        body = smart_app.token(grant_type="client_credentials", scope="system/Patient.cruds").get_json()

        assert body["expires_in"] == 300
        assert body["scope"] == "system/Patient.rs"
        assert "refresh_token" not in body
        assert read_patient(smart_app.browser, body["access_token"]) == 200

    def test_the_token_is_good_at_the_pacs_too(self, smart_app: SmartApp, app: Flask) -> None:
        body = smart_app.token(grant_type="client_credentials", scope="system/*.rs").get_json()
        parts = app.extensions["sandbox"]

        assert parts.tokens.verify(body["access_token"], parts.dicomweb_root).client_id == "app"

    @pytest.mark.parametrize("scope", ["", "patient/Patient.rs openid", "system/Patient.cud"])
    def test_nothing_but_registered_system_scopes(self, smart_app: SmartApp, scope: str) -> None:
        assert refused(smart_app.token(grant_type="client_credentials", scope=scope)) == "invalid_scope"

    def test_a_secret_does_not_do(self, client: FlaskClient) -> None:
        form = {"grant_type": "client_credentials", "scope": "system/*.rs"}
        response = client.post("/oauth/token", data=form, auth=("secretive", "correct horse battery staple"))

        assert refused(response) == "unauthorized_client"


class TestIntrospection:
    """RFC 7662, and SMART App Launch 2.2 §9."""

    def introspect(self, client: FlaskClient, token: str) -> dict[str, Any]:
        body: dict[str, Any] = client.post("/oauth/introspect", data=signed_in() | {"token": token}).get_json()
        return body

    def test_it_says_what_a_good_token_says(self, smart_app: SmartApp, code: str) -> None:
        said = self.introspect(smart_app.browser, smart_app.redeem(code).get_json()["access_token"])

        assert said["active"] is True
        assert (said["client_id"], said["patient"], said["iss"]) == ("app", "p1", ISSUER)
        assert set(said["scope"].split()) == set(SCOPE.split())
        assert said["fhirUser"] == f"{ISSUER}/Practitioner/grey"
        assert said["exp"]

    def test_it_says_nothing_of_any_other(self, client: FlaskClient) -> None:
        assert self.introspect(client, "not.a.token") == {"active": False}

    def test_it_wants_to_know_who_asks(self, client: FlaskClient) -> None:
        assert refused(client.post("/oauth/introspect", data={"token": "x"})) == "invalid_client"


class TestRevocation:
    """RFC 7009."""

    def revoke(self, client: FlaskClient, token: str) -> int:
        return client.post("/oauth/revoke", data=signed_in() | {"token": token}).status_code

    def test_an_access_token_is_gone(self, smart_app: SmartApp, code: str) -> None:
        token = smart_app.redeem(code).get_json()["access_token"]

        assert self.revoke(smart_app.browser, token) == 200
        assert read_patient(smart_app.browser, token) == 401

    def test_a_refresh_token_takes_the_access_tokens_with_it(self, smart_app: SmartApp, code: str) -> None:
        body = smart_app.redeem(code).get_json()

        assert self.revoke(smart_app.browser, body["refresh_token"]) == 200
        assert read_patient(smart_app.browser, body["access_token"]) == 401
        refresh = smart_app.token(grant_type="refresh_token", refresh_token=body["refresh_token"])
        assert refused(refresh) == "invalid_grant"

    def test_a_token_that_is_none_is_as_good_as_revoked(self, client: FlaskClient) -> None:
        assert self.revoke(client, "nonsense") == 200

    def test_nobody_revokes_for_another(self, smart_app: SmartApp, code: str) -> None:
        token = smart_app.redeem(code).get_json()["access_token"]
        secret = ("secretive", "correct horse battery staple")

        assert smart_app.browser.post("/oauth/revoke", data={"token": token}, auth=secret).status_code == 400
        assert read_patient(smart_app.browser, token) == 200
