"""A saliency map, brought back from the frame that a model saw to the film, and made visible over it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cds.imaging.framing import Placement
from cds.imaging.smoothing import Pixels

RAMP = np.array([(13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33)], np.float32)
"""Blue over red to yellow, ever brighter: told apart with any colour vision, and never grey as a film is.
Sampled from "plasma" (Smith and van der Walt, 2015, CC0)."""
FAINTEST = 0.2
"""Less than this share of the strongest is not shown: the film is there to be seen."""
OPACITY = 0.6
"""Of the strongest place; the film shows through."""


def on_film(saliency: Pixels, place: Placement, shape: tuple[int, ...]) -> Pixels:
    """The map of a picture that was framed from ``place``, in the coordinates of the film of that ``shape``.

    ``saliency``: (``height``, ``width``) of the frame, 0..1. Returns ``shape``, 0..1; what the model did not see,
    such as a collimation border, is 0.
    """
    top, bottom, left, right = (round(edge) for edge in (place.top, place.bottom, place.left, place.right))
    part = Image.fromarray(np.ascontiguousarray(saliency[place.inside], np.float32))
    placed = np.zeros(shape, np.float32)
    enlarged = part.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    placed[top:bottom, left:right] = np.asarray(enlarged)
    return np.clip(placed, 0, 1, out=placed)


def coloured(saliency: Pixels) -> NDArray[np.uint8]:
    """(rows, columns) in 0..1 to (rows, columns, 4) RGBA, clear where little speaks for the finding."""
    stops = np.linspace(0, 1, len(RAMP))
    colours = [np.interp(saliency, stops, RAMP[:, channel]) for channel in range(3)]
    strength = np.clip((saliency - FAINTEST) / (1 - FAINTEST), 0, 1)
    return np.stack([*colours, 255 * OPACITY * strength], axis=-1).round().astype(np.uint8)


def overlay_png(saliency: Pixels, place: Placement, shape: tuple[int, ...], longer_side: int) -> bytes:
    """A PNG to lay over the whole film, at any size: of its proportions, ``longer_side`` pixels at most."""
    placed = Image.fromarray(on_film(saliency, place, shape))
    placed.thumbnail((longer_side, longer_side), Image.Resampling.BOX)
    written = BytesIO()
    Image.fromarray(coloured(np.asarray(placed))).save(written, "PNG")
    return written.getvalue()
