"""What the clinician looks at: the patients, and the chart of one with its films, notes and reports."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any

from flask import Response, jsonify, make_response, render_template, request

from cds.errors import Unknown
from cds.sandbox.ehr import chart, orders
from cds.sandbox.ehr.blueprint import bp, ehr
from cds.sandbox.ehr.desk import Desk

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?")
_UNKNOWN_TYPE = "application/octet-stream"


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
    return render_template("patient.html", chart=seen, desk=desk, handle=handle)


@bp.get("/patients/<id>/reports.json")
def reports(id: str) -> Response:
    """What has been written back for this patient."""
    ehr().records.read("Patient", id)
    return jsonify(chart.reports(ehr().records, id))


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


def _new_desk(seen: chart.Chart) -> Desk:
    user = f"Practitioner/{seen.clinician.id}"
    drafts = list(seen.drafts) or [orders.draft(seen.patient.id, user, seen.encounter)]
    return Desk(seen.patient.id, user, seen.encounter, drafts)


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
