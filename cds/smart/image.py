"""The film that was scored, or a CT's key slice: whole, small without scripts, and what explains a finding."""

from __future__ import annotations

from functools import partial
from io import BytesIO

import numpy as np
from flask import Response
from PIL import Image

from cds.imaging.dicomweb import DICOMweb
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import Radiograph, read_radiograph
from cds.smart.films import Film, FilmRefused, Films, fetched
from cds.smart.pictures import Make
from cds.smart.services import Explain

LONGER_SIDE = 1024
"""Pixels; enough to see what is meant, not to read the film by."""


class ViewerFilm:
    """``GET /smart/film``: 16 bits to a pixel, as PGM, as ``make`` makes it.

    ``Sightline-Window`` is the window to begin with, ``Sightline-Size`` the columns and rows of the film itself.
    """

    def __init__(self, films: Films, make: Make) -> None:
        self._films = films
        self._make = make

    def __call__(self) -> Response:
        try:
            picture = self._films(self._make)
        except FilmRefused as refused:
            return _said(refused)
        low, high = picture.window
        columns, rows = picture.size
        headers = {"Sightline-Window": f"{low} {high}", "Sightline-Size": f"{columns} {rows}"}
        return Response(picture.pgm, mimetype="image/x-portable-graymap", headers=headers)


class SmallFilm:
    """``GET /smart/image``: a PNG of moderate size."""

    def __init__(self, films: Films) -> None:
        self._films = films

    def __call__(self) -> Response:
        try:
            film = self._films(_small)
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
            picture = self._films.scored(lambda prescreen, pacs: self._explain(prescreen, finding, pacs))
        except FilmRefused as refused:
            return _said(refused)
        return Response(picture, mimetype="image/png")


def _small(film: Film, pacs: DICOMweb) -> Radiograph:
    return fetched(film, pacs, partial(read_radiograph, at_least=LONGER_SIDE))


def png(pixels: Grey) -> bytes:
    """A film, its longer side at most :data:`LONGER_SIDE`, in 256 shades of grey."""
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _said(refused: FilmRefused) -> Response:
    return Response(str(refused), refused.status, mimetype="text/plain")
