"""``GET /smart/image``: the radiograph that was scored, fetched from the PACS when it is looked at; and
``GET /smart/image/overlay/{finding}.png``: which places of it speak for a finding, to lay over it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from flask import Response
from PIL import Image

from cds.audit import balp
from cds.errors import Missing, NoSaliency, SightlineError, Unknown
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
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


class Picture:
    """A PNG made of the film of exactly the prescreen that the page showed.

    ``draw(prescreen, finding, pacs)`` makes it; ``finding`` is empty where the route names none.
    """

    def __init__(
        self, services: SmartServices, signed_in: SignedIn, draw: Callable[[Prescreen, str, DICOMweb], bytes]
    ) -> None:
        self._services = services
        self._signed_in = signed_in
        self._draw = draw

    def __call__(self, finding: str = "") -> Response:
        session, registration = self._signed_in()
        prescreen = shown(self._services.prescreens, registration, session)
        # A page left open in another tab may be of the patient before: it must not get this one's film.
        if prescreen is None or prescreen.id != parameter("prescreen") or prescreen.study is None:
            return _said("there is no such image", 404)
        if not may_read(session.scope, "ImagingStudy"):
            return _said("the EHR did not grant reading images", 403)
        try:
            picture = self._draw(prescreen, finding, self._services.open_pacs(registration, prescreen))
        except (Unknown, NoSaliency) as lacking:
            return _said(str(lacking), 404)
        except SightlineError:
            return _said("the image cannot be had from the PACS just now", 502)
        exchange = audit.with_browser(self._services, session)
        read = balp.patient_read(exchange, session.patient, prescreen.study.reference)
        self._services.on_event(registration.tenant, read)
        return Response(picture, mimetype="image/png")


def radiograph(prescreen: Prescreen, _: str, pacs: DICOMweb) -> bytes:
    """The film of ``prescreen`` as a PNG; raises what :func:`~cds.imaging.retrieval.retrieve` raises."""
    study = prescreen.study
    if study is None:
        raise Missing("there is no image")
    return png(retrieve(pacs, study.study_uid, study.series_uid, study.instance_uid, _decode).pixels)


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
