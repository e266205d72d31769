"""A DICOMweb origin server (PS3.18 Studies Service, chapter 10): a file per transaction, and here its routes."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from cds.errors import ImagingError, RequestError, Unauthenticated
from cds.sandbox.bearer import authenticate, challenge
from cds.sandbox.dicomweb import frames, qido, rendered, stow, wado
from cds.sandbox.dicomweb.authorization import check_scope, check_study
from cds.sandbox.parts import sandbox

_STUDY = "/studies/<study>"
_SERIES = f"{_STUDY}/series/<series>"
_INSTANCE = f"{_SERIES}/instances/<instance>"


def blueprint() -> Blueprint:
    """The routes, to be registered at ``/dicom-web``."""
    pacs = Blueprint("dicomweb", __name__)
    pacs.before_request(_authorize)
    for level, places in {
        "study": ("/studies",),
        "series": ("/series", f"{_STUDY}/series"),
        "instance": ("/instances", f"{_STUDY}/instances", f"{_SERIES}/instances"),
    }.items():
        for place in places:
            pacs.add_url_rule(place, "search", qido.search, defaults={"level": level})
    for place in (_STUDY, _SERIES, _INSTANCE):
        pacs.add_url_rule(place, "retrieve", wado.retrieve)
        pacs.add_url_rule(f"{place}/metadata", "metadata", wado.metadata)
    pacs.add_url_rule(f"{_INSTANCE}/frames/<numbers>", "frames", frames.frames)
    pacs.add_url_rule(f"{_INSTANCE}/rendered", "rendered", rendered.rendered)
    pacs.add_url_rule(f"{_INSTANCE}/frames/<int:number>/rendered", "rendered", rendered.rendered)
    for place in ("/studies", _STUDY):
        pacs.add_url_rule(place, "store", stow.store, methods=["POST"])
    pacs.register_error_handler(RequestError, _failure)
    pacs.register_error_handler(ImagingError, _unusable)
    pacs.register_error_handler(HTTPException, _http_failure)
    return pacs


def _authorize() -> None:
    authenticate(sandbox().tokens, sandbox().dicomweb_root)
    check_scope("create" if request.method == "POST" else "read")
    if study := (request.view_args or {}).get("study"):
        check_study(study)


def _failure(error: RequestError) -> Response:
    if isinstance(error, Unauthenticated):
        response = _sentence("a valid access token is required", error.status)
        response.headers["WWW-Authenticate"] = challenge()
        return response
    return _sentence(str(error), error.status)


def _unusable(error: ImagingError) -> Response:
    return _sentence(str(error), 406)


def _http_failure(error: HTTPException) -> Response:
    response = _sentence(str(error.description), error.code or 500)
    if error.code == 503:
        response.headers["Retry-After"] = "60"
    return response


def _sentence(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
