"""Films as a viewer wants them, in 16 bits to a pixel; what a screen shows first is made once, and kept a while.

It is kept sealed in Valkey for :data:`KEPT_S`. :mod:`cds.smart.films` shows it to whom the EHR lets see the film.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import partial

import numpy as np
import orjson
from PIL import Image

from cds.imaging.dicomweb import DICOMweb
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import read_whole_range
from cds.smart.films import Film, fetched
from cds.smart.session import Sealed
from cds.store.once import Once
from cds.store.valkey import Valkey

SHORTER_SIDE = 1024
"""Pixels of what a viewer shows first: most panes have no more, and a JPEG 2000 film comes four times as fast."""
KEPT_S = 300.0
WHITE = 65535


@dataclass(frozen=True, slots=True)
class Picture:
    """A film for the browser's canvas."""

    pgm: bytes
    """Netpbm's P5 with two bytes to a value, the greater first."""
    window: tuple[int, int]
    """What is black and what white to begin with, 0 to 65535."""
    size: tuple[int, int]
    """Columns and rows of the film itself, of which the picture may have fewer."""


Make = Callable[[Film, DICOMweb], Picture]


class Pictures:
    """Makes them; raises what :func:`~cds.imaging.retrieval.fetch` does."""

    def __init__(self, valkey: Valkey, key: bytes) -> None:
        self._sealed = Sealed(valkey, key, "picture")
        self._once = Once(valkey)

    def whole(self, film: Film, pacs: DICOMweb) -> Picture:
        """Every pixel that there is."""
        return _made(film, pacs, None)

    def reduced(self, film: Film, pacs: DICOMweb) -> Picture:
        """At least :data:`SHORTER_SIDE` pixels, or all there are; of all who ask at once one makes it."""
        name = hashlib.sha256(orjson.dumps([pacs.root, *astuple(film)])).hexdigest()
        return self._once(
            f"picture:{name}", lambda: self._kept(name), lambda: self._keep(name, _made(film, pacs, SHORTER_SIDE))
        )

    def _kept(self, name: str) -> Picture | None:
        held = self._sealed.get(name)
        if held is None:
            return None
        (low, high), (columns, rows) = held["window"], held["size"]
        return Picture(b64decode(held["pgm"]), (low, high), (columns, rows))

    def _keep(self, name: str, picture: Picture) -> Picture:
        held = {"pgm": b64encode(picture.pgm).decode(), "window": picture.window, "size": picture.size}
        self._sealed.put(name, held, KEPT_S)
        return picture


def _made(film: Film, pacs: DICOMweb, shorter_side: int | None) -> Picture:
    seen = fetched(film, pacs, partial(read_whole_range, at_least=shorter_side))
    low, high = (round(edge * WHITE) for edge in seen.window)
    return Picture(_pgm(_reduced(seen.pixels, shorter_side)), (low, high), (seen.columns, seen.rows))


def _reduced(pixels: Grey, shorter_side: int | None) -> Grey:
    """Averages of squares, as few as leave so many pixels: what is not JPEG 2000 was decoded whole."""
    factor = min(pixels.shape) // shorter_side if shorter_side else 1
    return np.asarray(Image.fromarray(pixels).reduce(factor)) if factor > 1 else pixels


def _pgm(pixels: Grey) -> bytes:
    # A PNG of 16 bits would take longer to make than this to send.
    rows, columns = pixels.shape
    values = (np.clip(pixels, 0, 1) * WHITE).round().astype(">u2")
    return b"P5 %d %d %d\n" % (columns, rows, WHITE) + values.tobytes()
