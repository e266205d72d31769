"""A radiograph that was exported as a PNG or JPEG file."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image

from cds.errors import ImagingError
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import MAX_PIXELS, MIN_SIDE, is_blank

SIXTEEN_BITS = ("I", "I;16", "I;16L", "I;16B")


def read_picture(data: bytes) -> Grey:
    """(rows, columns) float32 in 0..1, bright being dense; raise :class:`ImagingError` with the reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=("PNG", "JPEG")) as picture:
                _check_size(picture)
                pixels = _grey(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImagingError("this is no DICOM, PNG or JPEG file that can be read") from None
    if is_blank(pixels):
        raise ImagingError("the image is blank")
    return pixels


def _check_size(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise ImagingError(f"the image is too large: {picture.width} x {picture.height}")
    if min(picture.size) < MIN_SIDE:
        raise ImagingError(f"the image is too small: {picture.width} x {picture.height}")


def _grey(picture: Image.Image) -> Grey:
    if picture.mode in SIXTEEN_BITS:
        values = np.asarray(picture, dtype=np.float32)
        # A detector's 12 or 14 bits are often exported as they are, with nothing in those above.
        return values / np.float32((1 << max(8, int(values.max()).bit_length())) - 1)
    return np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)
