"""The film that was scored, or a CT's key slice: whole, small without scripts, and what explains a finding."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from flask import Response
from PIL import Image

from cds.imaging.dicomweb import DICOMweb
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import Radiograph, read_radiograph, read_whole_range
from cds.imaging.retrieval import fetch
from cds.smart.films import Film, FilmRefused, Films
from cds.smart.services import Explain

LONGER_SIDE = 1024
"""Pixels; enough to see what is meant, not to read the film by."""
SHORTER_SIDE = 1024
"""Pixels of what a viewer shows first: most panes have no more, and a JPEG 2000 film comes four times as fast."""
WHITE = 65535


class ViewerFilm:
    """``GET /smart/film``: 16 bits to a pixel, as PGM, with at least ``shorter_side`` pixels, or all there are.

    ``Sightline-Window`` is the window to begin with, ``Sightline-Size`` the columns and rows of the film itself.
    """

    def __init__(self, films: Films, shorter_side: int | None = None) -> None:
        self._films = films
        self._shorter_side = shorter_side

    def __call__(self) -> Response:
        try:
            film = self._films(lambda film, pacs: _fetched(film, pacs, self._decoded))
        except FilmRefused as refused:
            return _said(refused)
        low, high = (round(edge * WHITE) for edge in film.window)
        headers = {"Sightline-Window": f"{low} {high}", "Sightline-Size": f"{film.columns} {film.rows}"}
        return Response(
            pgm(_reduced(film.pixels, self._shorter_side)), mimetype="image/x-portable-graymap", headers=headers
        )

    def _decoded(self, file: bytes, frame: int) -> Radiograph:
        return read_whole_range(file, at_least=self._shorter_side, frame=frame)


class SmallFilm:
    """``GET /smart/image``: a PNG of moderate size."""

    def __init__(self, films: Films) -> None:
        self._films = films

    def __call__(self) -> Response:
        try:
            film = self._films(lambda film, pacs: _fetched(film, pacs, _small))
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


def _fetched(film: Film, pacs: DICOMweb, decode: Callable[[bytes, int], Radiograph]) -> Radiograph:
    def read(file: bytes) -> Radiograph:
        return decode(file, film.frame or 1)

    return fetch(pacs, film.study_uid, film.series_uid, film.instance_uid, read)


def _small(file: bytes, frame: int) -> Radiograph:
    return read_radiograph(file, at_least=LONGER_SIDE, frame=frame)


def _reduced(pixels: Grey, shorter_side: int | None) -> Grey:
    """Averages of squares, as few as leave so many pixels: what is not JPEG 2000 was decoded whole."""
    factor = min(pixels.shape) // shorter_side if shorter_side else 1
    return np.asarray(Image.fromarray(pixels).reduce(factor)) if factor > 1 else pixels


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
