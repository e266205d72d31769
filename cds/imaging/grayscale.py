"""The grayscale pipeline of PS3.4 N.2.1: stored value, modality LUT, VOI LUT, photometric interpretation.

A radiograph has at most 2^16 stored values and millions of pixels, so the pipeline runs once per stored value and
the pixels are looked up in the table that comes out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from cds.errors import ImagingError

Grey = NDArray[np.float32]
Curve = NDArray[np.float64]
"""A value for each code, that is for each bit pattern that a pixel can have."""

PERCENTILES = (0.5, 99.5)
"""What becomes black and white where the file names no window."""
SAMPLED = 1 << 16
"""About this many pixels are looked at to find those percentiles."""


def displayed(pixels: NDArray[Any], dataset: Dataset) -> Grey:
    """Decoded (H, W) integers to grey in 0..1, bright being dense, as MONOCHROME2 shows a radiograph."""
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    codes = native.view(f"u{native.itemsize}")
    stored = stored_values(dataset, pixels.dtype.itemsize * 8)
    padding = is_padding(dataset, stored)
    curve = modality_values(dataset, stored)
    step = max(1, math.isqrt(pixels.size // SAMPLED))
    sample = codes[::step, ::step]
    grey = values_of_interest(dataset, curve, sample[~padding[sample]])
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 1.0 - grey
    grey[padding] = 0.0
    return np.take(grey.astype(np.float32), codes)


def stored_values(dataset: Dataset, width: int) -> Curve:
    """PS3.5 8.1.1: the value in Bits Stored below High Bit, whatever an old overlay left in the other bits."""
    stored, high = int(dataset.BitsStored), int(dataset.get("HighBit", dataset.BitsStored - 1))
    if not 1 <= stored <= high + 1 <= width:
        raise ImagingError("the bits stored and the high bit of the image do not fit its pixels")
    codes = np.arange(1 << width) >> (high + 1 - stored) & ((1 << stored) - 1)
    if dataset.get("PixelRepresentation") == 1:
        codes = np.where(codes >= 1 << (stored - 1), codes - (1 << stored), codes)
    return codes.astype(np.float64)


def is_padding(dataset: Dataset, stored: Curve) -> NDArray[np.bool_]:
    """PS3.3 C.7.5.1.1.2: values from Pixel Padding Value to Pixel Padding Range Limit are outside the image."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(len(stored), dtype=np.bool_)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted((float(first), float(first if limit is None else limit)))
    return (stored >= ends[0]) & (stored <= ends[1])


def modality_values(dataset: Dataset, stored: Curve) -> Curve:
    """PS3.3 C.11.1: the Modality LUT, or rescale slope and intercept."""
    if dataset.get("ModalityLUTSequence"):
        return _looked_up(dataset.ModalityLUTSequence[0], stored)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None or intercept is None:
        return stored
    return stored * float(slope) + float(intercept)


def values_of_interest(dataset: Dataset, curve: Curve, present: NDArray[Any]) -> Curve:
    """PS3.3 C.11.2: the first VOI LUT, else the first window, else the percentiles of the codes ``present``."""
    if dataset.get("VOILUTSequence"):
        return _spread(_looked_up(dataset.VOILUTSequence[0], curve))
    center, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if math.isfinite(center) and width >= 1 and function in WINDOWS:
        return WINDOWS[function](curve, center, width)
    if present.size == 0:
        raise ImagingError("the image is nothing but padding")
    low, high = np.percentile(curve[present], PERCENTILES)
    return _between(curve, low, high)


def _linear(x: Curve, center: float, width: float) -> Curve:
    """PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5), held within 0 and 1."""
    return _between(x, center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2)


def _linear_exact(x: Curve, center: float, width: float) -> Curve:
    """PS3.3 C.11.2.1.3.2: (x - c) / w + 0.5, held within 0 and 1."""
    return _between(x, center - width / 2, center + width / 2)


def _sigmoid(x: Curve, center: float, width: float) -> Curve:
    """PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w))."""
    return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - center) / width, -60.0, 60.0)))


WINDOWS = {"LINEAR": _linear, "LINEAR_EXACT": _linear_exact, "SIGMOID": _sigmoid}


def _between(x: Curve, low: float, high: float) -> Curve:
    """0 up to ``low``, 1 above ``high``, straight between; a step where the two are one (a window of width 1)."""
    if high <= low:
        return (x > low).astype(np.float64)
    return np.clip((x - low) / (high - low), 0.0, 1.0)


def _spread(x: Curve) -> Curve:
    return _between(x, x.min(), x.max())


def _looked_up(item: Dataset, x: Curve) -> Curve:
    """PS3.3 C.11.1.1.1: entries, first value mapped, bits per entry; beyond either end the last entry holds."""
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    table = _entries(item, entries or 1 << 16, bits)
    return table[np.clip(x - first, 0, len(table) - 1).astype(np.int64)]


def _entries(item: Dataset, count: int, bits: int) -> Curve:
    data = item.LUTData
    if isinstance(data, bytes):
        # Eight-bit entries may come one to a byte (PS3.3 C.11.1.1.1).
        word = ">u2" if item.original_encoding[1] is False else "<u2"
        data = np.frombuffer(data, dtype="u1" if bits <= 8 and len(data) < 2 * count else word)
    table = np.asarray(data, dtype=np.float64).ravel()[:count]
    if table.size == 0:
        raise ImagingError("a lookup table of the image is empty")
    return table


def _first(value: Any) -> float:
    """The first of one or many numbers; ``nan`` where there is none."""
    if isinstance(value, str) or not hasattr(value, "__getitem__"):
        return float(value) if value not in (None, "") else math.nan
    return float(value[0]) if len(value) else math.nan
