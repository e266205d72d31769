"""What the clinician does: sign, take up or override advice, open the app, finish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from cds.errors import Forbidden, RequestError, Unknown
from cds.sandbox.ehr import orders
from cds.sandbox.ehr.blueprint import bp, ehr
from cds.sandbox.ehr.desk import Desk
from cds.sandbox.oauth.launch import Launch, LaunchContext, launch_url


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
    desk.opener = request.form.get("opener", desk.opener)
    context = LaunchContext(
        user=_opener(desk),
        patient=desk.patient,
        encounter=desk.encounter,
        app_context=chosen.app_context,
        need_patient_banner=request.form.get("where") != "panel",
    )
    handed = ehr().authorization.launches.issue(Launch(client.id, context))
    return redirect(launch_url(client, ehr().authorization.issuer, handed), 303)


def _opener(desk: Desk) -> str:
    """Who opens the app; raises :class:`Unknown` for nobody of ours."""
    of_type, _, id = (desk.opener or desk.user).partition("/")
    if of_type != "Practitioner":
        raise Unknown("there is no such clinician")
    ehr().records.read(of_type, id)
    return f"{of_type}/{id}"


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
            return make_response(render_template("desk.html", desk=desk, handle=handle))
    return redirect(url_for(".patient", id=desk.patient, desk=handle), 303)


def _desk(handle: str) -> Desk:
    desk = ehr().desks.get(handle)
    if desk is None:
        raise Unknown("this order was begun before the sandbox was started; open the patient again")
    return desk


def _file(desk: Desk) -> None:
    if not desk.drafts:
        raise RequestError("there is no order to sign")
    for order in desk.drafts:
        kept = _kept(orders.signed(order))
        desk.filed.append(f"{kept['resourceType']}/{kept['id']}")
    desk.drafts = []


def _kept(order: dict[str, Any]) -> dict[str, Any]:
    """What was a draft in the record is now this order; any other gets an id of the record's."""
    held = ehr().records.find("ServiceRequest", str(order.get("id")))
    if held and held.get("status") == "draft" and order["resourceType"] == "ServiceRequest":
        return ehr().records.update(order)
    return ehr().records.create(order)
