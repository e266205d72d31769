"""From a radiograph of any size to the square that the model was trained on; training and service share this."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]

MAX_TRIM = 0.25
"""At most this share of the height or width is taken for a border on either side."""
FLAT = 0.04
"""A line is border when its values span less than this, but for a tenth at either end: a burned-in marker."""
CONTRAST = (1.0, 99.0)
"""The percentiles that become black and white, so that the window an acquisition station chose hardly matters."""


def frame(pixels: Pixels, size: int) -> Pixels:
    """(H, W) in 0..1 to (``size``, ``size``) float32 in 0..1: borders off, area-averaged, contrast stretched.

    The aspect ratio is not kept: ChestX-ray14 was published as squares, so that is what the model knows.
    """
    top, bottom, left, right = exposed(pixels)
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX, box=(left, top, right, bottom))
    return _stretched(np.asarray(image))


def exposed(pixels: Pixels) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is left when flat collimation borders are taken off."""
    step = max(1, min(pixels.shape) // 256)
    coarse = pixels[::step, ::step]
    top, bottom = _trim(coarse)
    left, right = _trim(coarse.T)
    height, width = pixels.shape
    return top * step, min(height, bottom * step), left * step, min(width, right * step)


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
    if high <= low:
        return np.zeros_like(pixels)
    scaled: Pixels = np.clip((pixels - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return scaled
