"""The radiograph that was scored: whole for the viewer, small without scripts, and heat maps over it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from flask import Response
from numpy.typing import NDArray
from PIL import Image

from cds.findings import FINDINGS
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import Radiograph, read_radiograph, read_whole_range
from cds.smart.films import FilmRefused, Films
from cds.smart.services import HeatMap

LONGER_SIDE = 1024
"""Pixels; enough to see what is meant, not to read the film by."""
WHITE = 65535


class WholeFilm:
    """``GET /smart/film``: every pixel, in 16 bits, as PGM; ``Sightline-Window`` is the window to begin with."""

    def __init__(self, films: Films) -> None:
        self._films = films

    def __call__(self) -> Response:
        try:
            _, film = self._films(read_whole_range)
        except FilmRefused as refused:
            return said(refused)
        low, high = (round(edge * WHITE) for edge in film.window)
        headers = {"Sightline-Window": f"{low} {high}"}
        return Response(pgm(film.pixels), mimetype="image/x-portable-graymap", headers=headers)


class SmallFilm:
    """``GET /smart/image``: a PNG of moderate size."""

    def __init__(self, films: Films) -> None:
        self._films = films

    def __call__(self) -> Response:
        try:
            _, film = self._films(_reduced)
        except FilmRefused as refused:
            return said(refused)
        return Response(png(film.pixels), mimetype="image/png")


class HeatMapImage:
    """``GET /smart/overlay/{finding}.png``: where in the film a finding was seen, to lay over the whole of it."""

    def __init__(self, films: Films, heat_map: HeatMap | None) -> None:
        self._films = films
        self._heat_map = heat_map

    def __call__(self, finding: str) -> Response:
        try:
            if self._heat_map is None or finding not in FINDINGS:
                raise FilmRefused("there is no heat map", 404)
            _, film = self._films(_reduced)
            return Response(coloured(self._heat_map(film.pixels, finding)), mimetype="image/png")
        except FilmRefused as refused:
            return said(refused)


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
    return _written(image)


def coloured(heat: NDArray[np.float32]) -> bytes:
    """Heat, (rows, columns) in 0..1, from transparent by orange to yellow, as RGBA."""
    strength = np.clip(heat, 0, 1)
    green = (np.clip(2 * strength - 0.4, 0, 1) * 235).astype(np.uint8)
    red, blue = np.full_like(green, 255), np.zeros_like(green)
    alpha = (np.sqrt(strength) * 255).round().astype(np.uint8)
    return _written(Image.fromarray(np.dstack([red, green, blue, alpha]), "RGBA"))


def _written(image: Image.Image) -> bytes:
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def said(refused: FilmRefused) -> Response:
    return Response(str(refused), refused.status, mimetype="text/plain")
