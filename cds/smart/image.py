"""The film that was scored, or a CT's key slice: whole, small without scripts, and what explains a finding."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from flask import Response
from PIL import Image

from cds.errors import Missing
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import Radiograph, read_radiograph, read_whole_range
from cds.imaging.retrieval import fetch
from cds.smart.films import FilmRefused, Films
from cds.smart.services import Explain

LONGER_SIDE = 1024
"""Pixels; enough to see what is meant, not to read the film by."""
WHITE = 65535


class WholeFilm:
    """``GET /smart/film``: every pixel, in 16 bits, as PGM; ``Sightline-Window`` is the window to begin with."""

    def __init__(self, films: Films) -> None:
        self._films = films

    def __call__(self) -> Response:
        try:
            film = self._films(lambda prescreen, pacs: _film(prescreen, pacs, read_whole_range))
        except FilmRefused as refused:
            return _said(refused)
        low, high = (round(edge * WHITE) for edge in film.window)
        headers = {"Sightline-Window": f"{low} {high}"}
        return Response(pgm(film.pixels), mimetype="image/x-portable-graymap", headers=headers)


class SmallFilm:
    """``GET /smart/image``: a PNG of moderate size."""

    def __init__(self, films: Films) -> None:
        self._films = films

    def __call__(self) -> Response:
        try:
            film = self._films(lambda prescreen, pacs: _film(prescreen, pacs, _reduced))
        except FilmRefused as refused:
            return _said(refused)
        return Response(png(film.pixels), mimetype="image/png")


class Overlay:
    """``GET /smart/image/overlay/{finding}.png``: which places of the film speak for a finding, to lay over it."""

    def __init__(self, films: Films, explain: Explain) -> None:
        self._films = films
        self._explain = explain

    def __call__(self, finding: str) -> Response:
        try:
            picture = self._films(lambda prescreen, pacs: self._explain(prescreen, finding, pacs))
        except FilmRefused as refused:
            return _said(refused)
        return Response(picture, mimetype="image/png")


def _film(prescreen: Prescreen, pacs: DICOMweb, decode: Callable[[bytes], Radiograph]) -> Radiograph:
    study = prescreen.study
    if study is None:
        raise Missing("there is no image")
    return fetch(pacs, study.study_uid, study.series_uid, study.instance_uid, decode)


def _reduced(file: bytes) -> Radiograph:
    return read_radiograph(file, at_least=LONGER_SIDE)


def pgm(pixels: Grey) -> bytes:
    """Netpbm's P5 with two bytes to a value, the greater first."""
    rows, columns = pixels.shape
    values = (np.clip(pixels, 0, 1) * WHITE).round().astype(">u2")
    return b"P5 %d %d %d\n" % (columns, rows, WHITE) + values.tobytes()


def png(pixels: Grey) -> bytes:
    """A film, its longer side at most :data:`LONGER_SIDE`, in 256 shades of grey."""
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _said(refused: FilmRefused) -> Response:
    return Response(str(refused), refused.status, mimetype="text/plain")
