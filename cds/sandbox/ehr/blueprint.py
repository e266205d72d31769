"""What the EHR's pages share: their parts, their address, and what a browser may do with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Response, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from cds.errors import Forbidden, RequestError
from cds.sandbox.ehr import chart, orders
from cds.sandbox.ehr.desk import Desk
from cds.sandbox.ehr.films import Films
from cds.sandbox.ehr.ordering import CdsClient
from cds.sandbox.ehr.roles import ROLES
from cds.sandbox.handles import Handles
from cds.sandbox.oauth import AuthorizationServer
from cds.sandbox.records import Records

EXTENSION = "sandbox-ehr"
DESK_S = 12 * 3600

bp = Blueprint("ehr", __name__, template_folder="templates", static_folder="static", static_url_path="/ehr/static")


@dataclass(frozen=True)
class Ehr:
    """The parts that the page is made of."""

    base_url: str
    records: Records
    authorization: AuthorizationServer
    service: CdsClient
    films: Films
    desks: Handles[Desk] = field(default_factory=lambda: Handles(DESK_S, limit=500))


def ehr() -> Ehr:
    """The EHR of the current application."""
    return cast(Ehr, current_app.extensions[EXTENSION])


@bp.before_request
def _same_origin() -> BaseResponse | None:
    """One address, so that no name of another's points at us; and forms from our own pages alone."""
    ours = urlsplit(ehr().base_url)
    if request.method in ("GET", "HEAD"):
        return None if request.host == ours.netloc else redirect(f"{ehr().base_url}{request.full_path}")
    if request.headers.get("Origin") != f"{ours.scheme}://{ours.netloc}":
        raise Forbidden("the form was not sent from this EHR's own page")
    return None


@bp.after_request
def _policy(response: Response) -> Response:
    service = urlsplit(ehr().service.service_url)
    app = f"{service.scheme}://{service.netloc}"
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        f"img-src 'self' {app}; frame-src 'self' {app}; form-action 'self' {app}; frame-ancestors 'self'",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Not no-referrer: a browser then sends "Origin: null" with our own forms.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@bp.errorhandler(RequestError)
def _refused(error: RequestError) -> tuple[str, int]:
    return render_template("problem.html", problem=str(error)), error.status


@bp.context_processor
def _for_templates() -> dict[str, Any]:
    return {"orders": orders, "pretty": _pretty, "roles": ROLES, "colleagues": _colleagues}


def _colleagues() -> tuple[chart.Person, ...]:
    return chart.practitioners(ehr().records)


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
