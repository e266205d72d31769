"""The authorization endpoint: SMART App Launch 2.2 §2.0.9, RFC 6749 §4.1.1, RFC 9207.

An EHR launch was begun by a clinician who is at work in our page, so it is granted as it comes. A standalone
launch asks on a page of its own who is at work, and on whom.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from cds.errors import RequestError
from cds.sandbox import scopes
from cds.sandbox.clients import Client
from cds.sandbox.ehr import chart
from cds.sandbox.oauth import pkce
from cds.sandbox.oauth.errors import OAuthError
from cds.sandbox.oauth.grants import Grant, PendingRequest
from cds.sandbox.oauth.launch import LaunchContext
from cds.sandbox.oauth.parameters import check
from cds.sandbox.oauth.server import server

bp = Blueprint("oauth_authorize", __name__, template_folder="templates")


@bp.route("/oauth/authorize", methods=["GET", "POST"])
def authorize() -> BaseResponse:
    """Where the app sends the browser. Errors go back to the app, unless the app itself is in doubt."""
    parameters = request.form if request.method == "POST" else request.args
    client, redirect_uri = _trusted(parameters)
    try:
        wanted = _request(parameters, client, redirect_uri)
        handle = parameters.get("launch")
        return _ehr_launch(wanted, handle) if handle is not None else _ask(wanted)
    except OAuthError as error:
        answer = {"error": error.error, "error_description": str(error), "state": parameters.get("state", "")}
        return _back(redirect_uri, answer)


@bp.post("/oauth/consent")
def consent() -> BaseResponse:
    """The clinician has answered the page that :func:`authorize` showed."""
    wanted = server().pending.take(request.form.get("request", ""))
    if wanted is None:
        raise OAuthError("invalid_request", "this page was answered before, or is too old")
    if request.form.get("answer") != "allow":
        denied = {"error": "access_denied", "error_description": "the clinician said no", "state": wanted.state}
        return _back(wanted.redirect_uri, denied)
    context = _chosen(request.form.get("user", ""), request.form.get("patient", ""))
    return _grant(wanted, context)


def _trusted(parameters: MultiDict[str, str]) -> tuple[Client, str]:
    """The client and its redirect URI, equal to a registered one character for character (RFC 9700 §2.1)."""
    client = server().clients.get(parameters.get("client_id", ""))
    if client is None:
        raise OAuthError("invalid_request", "client_id names no registered app")
    redirect_uri = parameters.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise OAuthError("invalid_request", "redirect_uri is not registered for this app")
    return client, redirect_uri


def _request(parameters: MultiDict[str, str], client: Client, redirect_uri: str) -> PendingRequest:
    check(parameters)
    if parameters.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if parameters.get("aud", "").rstrip("/") != server().issuer:
        raise OAuthError("invalid_request", "aud must be the FHIR base URL")
    if not parameters.get("state"):
        raise OAuthError("invalid_request", "state is missing")
    challenge = pkce.challenge_of(parameters)
    granted = scopes.only(scopes.grant(parameters.get("scope", ""), client.scopes), "patient", "user")
    if not granted:
        raise OAuthError("invalid_scope", "none of the scopes asked for is registered for this app")
    return PendingRequest(
        client_id=client.id,
        redirect_uri=redirect_uri,
        state=parameters["state"],
        code_challenge=challenge,
        scopes=granted,
        nonce=parameters.get("nonce", ""),
    )


def _ehr_launch(wanted: PendingRequest, handle: str) -> BaseResponse:
    if "launch" not in wanted.scopes:
        raise OAuthError("invalid_scope", "an EHR launch needs the scope launch")
    launch = server().launches.get(handle)
    if launch is None or launch.client_id != wanted.client_id or server().launches.take(handle) is None:
        raise OAuthError("invalid_request", "launch is unknown, used before, too old, or meant for another app")
    return _grant(wanted, launch.context)


def _ask(wanted: PendingRequest) -> BaseResponse:
    if "launch" in wanted.scopes:
        raise OAuthError("invalid_request", "the scope launch needs the launch parameter")
    page = render_template(
        "consent.html",
        client=server().clients.get(wanted.client_id),
        scopes=wanted.scopes,
        request_handle=server().pending.issue(wanted),
        practitioners=chart.practitioners(server().records),
        patients=chart.patients(server().records) if _needs_patient(wanted.scopes) else (),
    )
    response = make_response(page)
    # A form's policy also covers where its answer redirects to: back to the app.
    target = urlsplit(wanted.redirect_uri)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        f"form-action 'self' {target.scheme}://{target.netloc}"
    )
    return response


def _needs_patient(wanted: tuple[str, ...]) -> bool:
    return any(scope == "launch/patient" or scope.startswith("patient/") for scope in wanted)


def _chosen(user: str, patient: str) -> LaunchContext:
    """A clinician and a patient whom we know; raises :class:`cds.errors.Unknown`."""
    server().records.read("Practitioner", user)
    if patient:
        server().records.read("Patient", patient)
    return LaunchContext(user=f"Practitioner/{user}", patient=patient)


def _grant(wanted: PendingRequest, context: LaunchContext) -> BaseResponse:
    granted = wanted.scopes if context.patient else scopes.only(wanted.scopes, "user")
    code = server().codes.issue(Grant(secrets.token_urlsafe(16), wanted, granted, context))
    return _back(wanted.redirect_uri, {"code": code, "state": wanted.state})


def _back(redirect_uri: str, answer: dict[str, str]) -> BaseResponse:
    """To the app, saying who answers (RFC 9207 ``iss``)."""
    query = urlencode({name: value for name, value in {**answer, "iss": server().issuer}.items() if value})
    response = redirect(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}", 303)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.errorhandler(RequestError)
def _refusal(error: RequestError) -> Response:
    """To the person, because there is no app that we could trust with it (RFC 6749 §4.1.2.1)."""
    return make_response(render_template("refused.html", error=error), 400)
