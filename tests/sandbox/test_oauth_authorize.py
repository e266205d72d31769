"""The authorization endpoint: SMART App Launch 2.2 §2.0.9, RFC 6749 §4.1, RFC 7636 §4.3, RFC 9700 §2.1."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.sandbox.smart_app import ISSUER, REDIRECT_URI, SmartApp, answered

Start = Callable[..., str]


def test_an_ehr_launch_comes_back_with_a_code_the_state_and_who_answers(
    smart_app: SmartApp, launch: Start
) -> None:
    answer = answered(smart_app.authorize(launch=launch()))

    assert answer.keys() == {"code", "state", "iss"}
    assert answer["state"] == smart_app.state
    assert answer["iss"] == ISSUER


def test_the_request_may_be_posted(client: FlaskClient, smart_app: SmartApp, launch: Start) -> None:
    query = smart_app.authorize(launch=launch()).request.args
    posted = client.post("/oauth/authorize", data={**query, "launch": launch()})

    assert "code" in answered(posted)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "too-short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"aud": "https://another.test/fhir"}, "invalid_request"),
        ({"aud": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "patient/NoSuchThing.rs?x=1 system/*.rs"}, "invalid_scope"),
        ({"scope": "openid fhirUser"}, "invalid_scope"),
        ({"launch": "made-up"}, "invalid_request"),
        ({"launch": None}, "invalid_request"),
    ],
)
def test_a_wrong_request_goes_back_to_the_app_as_an_error(
    smart_app: SmartApp, launch: Start, change: dict[str, str | None], error: str
) -> None:
    answer = answered(smart_app.authorize(**({"launch": launch()} | change)))

    assert answer["error"] == error
    assert answer["error_description"]
    assert "code" not in answer


@pytest.mark.parametrize(
    "redirect_uri",
    [None, "https://evil.test/callback", REDIRECT_URI + "/", REDIRECT_URI + "?x=1", REDIRECT_URI.upper()],
)
def test_nobody_is_sent_to_an_address_that_is_not_registered_to_the_letter(
    smart_app: SmartApp, launch: Start, redirect_uri: str | None
) -> None:
    response = smart_app.authorize(launch=launch(), redirect_uri=redirect_uri)

    assert response.status_code == 400
    assert "Location" not in response.headers


def test_an_unknown_client_is_not_sent_anywhere(smart_app: SmartApp) -> None:
    assert smart_app.authorize(client_id="<script>").status_code == 400
    assert "<script>" not in smart_app.authorize(client_id="<script>").get_data(as_text=True)


def test_a_parameter_given_twice_is_refused(client: FlaskClient, smart_app: SmartApp, launch: Start) -> None:
    query = [*smart_app.authorize(launch=launch()).request.args.items(), ("scope", "launch"), ("scope", "openid")]

    assert answered(client.get("/oauth/authorize", query_string=query))["error"] == "invalid_request"


def test_a_launch_is_good_for_one_use_and_one_app(smart_app: SmartApp, launch: Start) -> None:
    handle, of_another = launch(), launch(client_id="sightline")
    assert "code" in answered(smart_app.authorize(launch=handle))

    assert answered(smart_app.authorize(launch=handle))["error"] == "invalid_request"
    assert answered(smart_app.authorize(launch=of_another))["error"] == "invalid_request"


class TestStandalone:
    """No launch: a page asks who is at work, and on whom."""

    SCOPE = "launch/patient openid fhirUser patient/Patient.r"

    @pytest.fixture
    def asked(self, smart_app: SmartApp) -> str:
        page = smart_app.authorize(scope=self.SCOPE).get_data(as_text=True)
        assert "Trial app" in page
        assert "Dr Ada Grey" in page
        assert "Pat Example" in page
        found = re.search(r'name="request" value="([^"]+)"', page)
        assert found
        return found[1]

    def test_what_the_clinician_chooses_is_the_context(self, smart_app: SmartApp, asked: str) -> None:
        form = {"request": asked, "user": "grey", "patient": "p1", "answer": "allow"}
        answer = answered(smart_app.browser.post("/oauth/consent", data=form))

        token = smart_app.redeem(answer["code"]).get_json()
        assert token["patient"] == "p1"
        assert token["scope"] == self.SCOPE

    def test_no_means_no(self, smart_app: SmartApp, asked: str) -> None:
        answer = answered(smart_app.browser.post("/oauth/consent", data={"request": asked, "answer": "deny"}))

        assert answer["error"] == "access_denied"
        assert answer["state"] == smart_app.state

    def test_the_page_is_answered_once(self, smart_app: SmartApp, asked: str) -> None:
        form = {"request": asked, "user": "grey", "patient": "p1", "answer": "allow"}
        smart_app.browser.post("/oauth/consent", data=form)

        assert smart_app.browser.post("/oauth/consent", data=form).status_code == 400

    def test_someone_we_do_not_know_cannot_be_chosen(self, smart_app: SmartApp, asked: str) -> None:
        form = {"request": asked, "user": "nobody", "patient": "p1", "answer": "allow"}

        assert smart_app.browser.post("/oauth/consent", data=form).status_code == 400

    def test_no_page_of_others_may_frame_it(self, smart_app: SmartApp) -> None:
        policy = smart_app.authorize(scope=self.SCOPE).headers["Content-Security-Policy"]

        assert "frame-ancestors 'none'" in policy
