"""JPEG 2000 keeps a pyramid of resolutions: a model that wants 224 pixels need not pay for 2,000."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.utils import get_j2k_parameters
from pydicom.uid import JPEG2000TransferSyntaxes

SYNTAXES = frozenset(JPEG2000TransferSyntaxes)
SAFE_LEVELS = 5
"""Encoders make five levels unless told otherwise (ISO/IEC 15444-1, A.6.1, is free to have fewer)."""


def levels_to_skip(shorter_side: int, at_least: int) -> int:
    """How often the picture can be halved with its shorter side still ``at_least`` pixels."""
    return max(0, min(SAFE_LEVELS, (shorter_side // at_least).bit_length() - 1))


def reduced(codestream: bytes, skip: int, stored: int) -> NDArray[Any]:
    """The grey picture with each side halved ``skip`` times: the bit patterns of stored values, (rows, columns).

    Each pixel lies in the middle of those that it stands for, as in an average, and has ``stored`` bits at most.
    Raises :class:`OSError` where the codestream has fewer levels, or is damaged.
    """
    described = get_j2k_parameters(codestream)
    precision, signed = int(described["precision"]), bool(described["is_signed"])
    with Image.open(BytesIO(codestream)) as image:
        image.reduce = skip  # type: ignore[method-assign, assignment]
        image.load()
        scaled = np.asarray(image)
    # Pillow moves values up to the width of its own pixels, and signed ones to begin at 0.
    values = scaled.astype(np.int32) >> (scaled.dtype.itemsize * 8 - precision)
    if signed:
        values -= 1 << (precision - 1)
    # Beside an edge a low-pass value goes beyond those that it is made of; bits above the stored would be lost.
    lowest = -(1 << (stored - 1)) if signed else 0
    held: NDArray[Any] = np.clip(_centred(values, skip), lowest, lowest + (1 << stored) - 1)
    return held.astype(f"u{scaled.dtype.itemsize}")


def _centred(values: NDArray[Any], skip: int) -> NDArray[Any]:
    """Move the picture by what it lacks to the middle: a low-pass value of the wavelet transform lies over the
    first of the pixels that it stands for (ISO/IEC 15444-1, annex F.3)."""
    share = np.float32((1 - 2.0**-skip) / 2)
    moved = values.astype(np.float32)
    for _ in range(2):
        moved[:-1] += share * (moved[1:] - moved[:-1])
        moved = moved.T
    return np.rint(moved).astype(values.dtype)
