"""``GET /smart/image``: the radiograph that was scored, fetched from the PACS when it is looked at."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from flask import Response
from PIL import Image

from cds.audit import balp
from cds.errors import SightlineError
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import Radiograph, read_radiograph
from cds.imaging.retrieval import retrieve
from cds.smart import audit
from cds.smart.query import parameter
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.shown import shown
from cds.smart.signed_in import SignedIn

LONGER_SIDE = 1024
"""Pixels; enough to see what is meant, not to read the film by."""


class RadiographImage:
    """A PNG of the film of exactly the prescreen that the page showed."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def __call__(self) -> Response:
        session, registration = self._signed_in()
        prescreen = shown(self._services.prescreens, registration, session)
        # A page left open in another tab may be of the patient before: it must not get this one's film.
        if prescreen is None or prescreen.id != parameter("prescreen") or prescreen.study is None:
            return _said("there is no such image", 404)
        if not may_read(session.scope, "ImagingStudy"):
            return _said("the EHR did not grant reading images", 403)
        study = prescreen.study
        try:
            pacs = self._services.open_pacs(registration, prescreen)
            film = retrieve(pacs, study.study_uid, study.series_uid, study.instance_uid, _decode)
        except SightlineError:
            return _said("the image cannot be had from the PACS just now", 502)
        exchange = audit.with_browser(self._services, session)
        self._services.on_event(registration.tenant, balp.patient_read(exchange, session.patient, study.reference))
        return Response(png(film.pixels), mimetype="image/png")


def _decode(file: bytes) -> Radiograph:
    return read_radiograph(file, at_least=LONGER_SIDE)


def png(pixels: Grey) -> bytes:
    """A film, its longer side at most :data:`LONGER_SIDE`, in 256 shades of grey."""
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _said(sentence: str, status: int) -> Response:
    return Response(sentence, status, mimetype="text/plain")
