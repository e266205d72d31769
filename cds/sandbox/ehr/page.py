"""The page that plays the EHR: choose a patient, write an order, sign it, deal with the cards."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from cds.errors import Forbidden, RequestError, Unknown
from cds.sandbox.ehr import chart, orders
from cds.sandbox.ehr.desk import Desk
from cds.sandbox.ehr.films import Films
from cds.sandbox.ehr.ordering import CdsClient
from cds.sandbox.handles import Handles
from cds.sandbox.oauth import AuthorizationServer
from cds.sandbox.oauth.launch import Launch, LaunchContext, launch_url
from cds.sandbox.records import Records

EXTENSION = "sandbox-ehr"
DESK_S = 12 * 3600
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?")
_UNKNOWN_TYPE = "application/octet-stream"

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
    if request.method == "GET":
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


@bp.get("/")
def patients() -> str:
    return render_template("patients.html", patients=chart.patients(ehr().records))


@bp.get("/patients/<id>")
def patient(id: str) -> str:
    """The chart; ``?desk=`` goes on with an order that is being written, else a new one is begun."""
    seen = chart.read(ehr().records, id)
    handle = request.args.get("desk", "")
    desk = ehr().desks.get(handle)
    if desk is None or desk.patient != id:
        desk = _new_desk(seen)
        handle = ehr().desks.issue(desk)
    return render_template("patient.html", chart=seen, desk=desk, handle=handle, **_desk_values())


@bp.get("/patients/<id>/reports.json")
def reports(id: str) -> Response:
    """What has been written back for this patient."""
    ehr().records.read("Patient", id)
    return jsonify(chart.reports(ehr().records, id))


@bp.post("/desk/<handle>/sign")
def sign(handle: str) -> BaseResponse:
    return _at(handle, lambda desk: desk.sign(ehr().service))


@bp.post("/desk/<handle>/cards/<int:card>/accept/<int:suggestion>")
def accept(handle: str, card: int, suggestion: int) -> BaseResponse:
    return _at(handle, lambda desk: desk.accept(card, suggestion, ehr().service))


@bp.post("/desk/<handle>/cards/<int:card>/override")
def override(handle: str, card: int) -> BaseResponse:
    reason, comment = (request.form.get(f"card-{card}-{name}", "") for name in ("reason", "comment"))
    return _at(handle, lambda desk: desk.override(card, reason, comment, ehr().service))


@bp.post("/desk/<handle>/file")
def file(handle: str) -> BaseResponse:
    """The clinician has read the advice and signs: the drafts become active orders."""
    return _at(handle, _file)


@bp.post("/desk/<handle>/new")
def new(handle: str) -> BaseResponse:
    """Begin another order on the same desk."""

    def begin(desk: Desk) -> None:
        desk.drafts.append(orders.draft(desk.patient, desk.user, desk.encounter))

    return _at(handle, begin)


@bp.post("/desk/<handle>/cards/<int:card>/launch/<int:link>")
def launch(handle: str, card: int, link: int) -> BaseResponse:
    """Follow a ``smart`` link: an EHR launch for this patient and user, with the link's ``appContext``."""
    desk = _desk(handle)
    if not (card < len(desk.cards) and link < len(desk.cards[card].links)):
        raise Unknown("there is no such link")
    chosen = desk.cards[card].links[link]
    client = ehr().authorization.clients.by_launch_url(chosen.url)
    if not chosen.smart or client is None:
        raise Forbidden("the link is not the launch address of a registered app")
    context = LaunchContext(
        user=desk.user,
        patient=desk.patient,
        encounter=desk.encounter,
        app_context=chosen.app_context,
        need_patient_banner=request.form.get("where") != "panel",
    )
    handed = ehr().authorization.launches.issue(Launch(client.id, context))
    return redirect(launch_url(client, ehr().authorization.issuer, handed), 303)


@bp.get("/studies/<id>/film")
def film(id: str) -> Response:
    """The first image of a study, for the chart."""
    response = make_response(ehr().films.jpeg(ehr().records.read("ImagingStudy", id)))
    response.headers["Content-Type"] = "image/jpeg"
    response.headers["Cache-Control"] = "private, max-age=300"
    return response


@bp.get("/documents/<id>")
def document(id: str) -> Response:
    """A note as it was filed, in a sandbox of the browser's: it comes from outside and is not trusted."""
    attachment = (ehr().records.read("DocumentReference", id).get("content") or [{}])[0].get("attachment", {})
    response = make_response(_content(attachment))
    content_type = str(attachment.get("contentType", ""))
    response.headers["Content-Type"] = content_type if _MEDIA_TYPE.fullmatch(content_type) else _UNKNOWN_TYPE
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    return response


def _at(handle: str, act: Callable[[Desk], None]) -> BaseResponse:
    """Take over the form, do ``act``, and show the desk: alone to our script, with its page to a bare browser."""
    desk = _desk(handle)
    with desk.lock:
        desk.problem = ""
        try:
            desk.edit(request.form)
            act(desk)
        except RequestError as error:
            desk.problem = str(error)
        if "X-Fragment" in request.headers:
            return make_response(render_template("desk.html", desk=desk, handle=handle, **_desk_values()))
    return redirect(url_for(".patient", id=desk.patient, desk=handle), 303)


def _new_desk(seen: chart.Chart) -> Desk:
    user = f"Practitioner/{seen.clinician.id}"
    drafts = list(seen.drafts) or [orders.draft(seen.patient.id, user, seen.encounter)]
    return Desk(seen.patient.id, user, seen.encounter, drafts)


def _desk(handle: str) -> Desk:
    desk = ehr().desks.get(handle)
    if desk is None:
        raise Unknown("this order was begun before the sandbox was started; open the patient again")
    return desk


def _desk_values() -> dict[str, Any]:
    return {"orders": orders, "service_url": ehr().service.service_url, "pretty": _pretty}


def _file(desk: Desk) -> None:
    if not desk.drafts:
        raise RequestError("there is no order to sign")
    for order in desk.drafts:
        kept = _kept(orders.signed(order))
        desk.filed.append(f"{kept['resourceType']}/{kept['id']}")
    desk.drafts = []


def _kept(order: dict[str, Any]) -> dict[str, Any]:
    """What was a draft in the record is now this order; any other gets an id of the record's."""
    if ehr().records.find(order["resourceType"], str(order.get("id"))):
        return ehr().records.update(order)
    return ehr().records.create(order)


def _content(attachment: dict[str, Any]) -> bytes:
    data = attachment.get("data")
    url = str(attachment.get("url", "")).removeprefix(f"{ehr().authorization.issuer}/")
    if data is None and url.startswith("Binary/"):
        data = ehr().records.read("Binary", url.removeprefix("Binary/")).get("data")
    if data is None:
        raise Unknown("the note's content is not kept here")
    try:
        return b64decode(data, validate=True)
    except ValueError:
        raise Unknown("the note's content cannot be read") from None


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
