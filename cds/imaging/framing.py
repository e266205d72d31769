"""From a radiograph of any size to the picture that the model was trained on; training and service share this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds.imaging.smoothing import Pixels, smoothed

OVERSAMPLING = 4
"""A film at a reduced resolution keeps so many pixels, in each direction, for one of the model's: with two, its
scores are off by up to 0.03; with four, by less than 0.01 (docs/evaluation.md)."""
MAX_TRIM = 0.25
"""At most this share of the height or width is taken for a border on either side."""
COARSE = 256
"""So coarsely borders are looked for."""
FLAT = 0.04
"""A line is border when its values span less than this, but for a tenth at either end: a burned-in marker."""
CONTRAST = (1.0, 99.0)
"""The percentiles that become black and white, so that the window an acquisition station chose hardly matters."""
EVEN = 1e-5
"""A picture that spans less has one tone: the rest is rounding, which is not to be stretched."""


def frame(pixels: Pixels, size: int) -> Pixels:
    """(H, W) in 0..1 to (``size``, ``size``) float32 in 0..1: borders off, smoothed, contrast stretched.

    The aspect ratio is not kept: ChestX-ray14 was published as squares, so that is what our model knows.
    """
    return framed(pixels, {"height": size, "width": size})


def framed(pixels: Pixels, asked: Mapping[str, Any]) -> Pixels:
    """(H, W) in 0..1 to what a bundle's ``input`` asks for: (``height``, ``width``) float32 in 0..1.

    Collimation borders are taken off. A film of another aspect ratio is distorted (``fit`` is ``fill``, the
    default), loses its ends (``crop``) or gets black beside it (``pad``). ``contrast`` is ``stretch``, the
    default, or ``keep``, which leaves the grey values of the film's own window.
    """
    return fitted(pixels, placement(pixels, asked), asked)


def fitted(pixels: Pixels, place: Placement, asked: Mapping[str, Any]) -> Pixels:
    """The same, at the ``place`` that :func:`placement` found: to look for borders takes a third of the time."""
    box = (place.left, place.top, place.right, place.bottom)
    picture: Pixels = np.clip(smoothed(pixels, (place.rows, place.columns), box), 0, 1)
    if asked.get("contrast", "stretch") == "stretch":
        picture = _stretched(picture)
    if asked.get("fit") != "pad":
        return picture
    framed = np.zeros((asked["height"], asked["width"]), np.float32)
    framed[place.inside] = picture
    return framed


@dataclass(frozen=True, slots=True)
class Placement:
    """Which part of a film fills which part of its frame."""

    top: float
    bottom: float
    left: float
    right: float
    """Edges of the part, in pixels of the film."""
    rows: int
    columns: int
    """How many pixels of the frame it fills."""
    down: int
    across: int
    """How many are left free above it and to its left."""

    @property
    def inside(self) -> tuple[slice, slice]:
        """The rows and columns of the frame that it fills."""
        return slice(self.down, self.down + self.rows), slice(self.across, self.across + self.columns)


def placement(pixels: Pixels, asked: Mapping[str, Any]) -> Placement:
    """Where :func:`framed` puts the film ``pixels``."""
    height, width = asked["height"], asked["width"]
    top, bottom, left, right = exposed(pixels)
    fit = asked.get("fit", "fill")
    if fit == "crop":
        top, bottom, left, right = _middle(top, bottom, left, right, width / height)
    rows, columns = height, width
    if fit == "pad":
        scale = min(height / (bottom - top), width / (right - left))
        rows, columns = max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))
    return Placement(top, bottom, left, right, rows, columns, (height - rows) // 2, (width - columns) // 2)


def _middle(
    top: float, bottom: float, left: float, right: float, aspect: float
) -> tuple[float, float, float, float]:
    """The largest part of that width to height, from the middle."""
    height, width = bottom - top, right - left
    used_height, used_width = min(height, width / aspect), min(width, height * aspect)
    up, aside = (height - used_height) / 2, (width - used_width) / 2
    return top + up, bottom - up, left + aside, right - aside


def exposed(pixels: Pixels) -> tuple[float, float, float, float]:
    """Top, bottom, left and right of what is left when flat collimation borders are taken off."""
    coarse = _coarse(pixels)
    (height, width), (rows, columns) = pixels.shape, coarse.shape
    top, bottom = _trim(coarse)
    left, right = _trim(coarse.T)
    # Multiplied first: the last line then ends where the film does, to the last bit.
    return top * height / rows, bottom * height / rows, left * width / columns, right * width / columns


def _coarse(pixels: Pixels) -> Pixels:
    """Where that is half of it or less, :data:`COARSE` pixels at the shorter side: the same at any resolution."""
    shorter = min(pixels.shape)
    if shorter < 2 * COARSE:
        return pixels
    rows, columns = (round(side * COARSE / shorter) for side in pixels.shape)
    return smoothed(pixels, (rows, columns))


def _trim(lines: Pixels) -> tuple[int, int]:
    """First and last-but-one line that is not border."""
    low, high = np.percentile(lines, (10.0, 90.0), axis=1)
    flat = high - low < FLAT
    limit = int(len(lines) * MAX_TRIM)
    return _leading(flat[:limit]), len(lines) - _leading(flat[::-1][:limit])


def _leading(flat: NDArray[np.bool_]) -> int:
    """How many are true before the first that is not."""
    return len(flat) if flat.all() else int(np.argmin(flat))


def _stretched(pixels: Pixels) -> Pixels:
    low, high = np.percentile(pixels, CONTRAST)
    if high - low < EVEN:
        return np.zeros_like(pixels)
    scaled: Pixels = np.clip((pixels - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return scaled
