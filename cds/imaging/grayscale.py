"""The grayscale pipeline of PS3.4 N.2.1: stored value, modality LUT, VOI LUT, photometric interpretation.

A radiograph has at most 2^16 stored values and millions of pixels, so the pipeline runs once per stored value and
the pixels are looked up in the table that comes out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from cds.errors import ImagingError

Grey = NDArray[np.float32]
Curve = NDArray[np.float64]
"""A value for each code, that is for each bit pattern that a pixel can have."""
Window = tuple[float, float]
"""What is shown black and what white, on the scale of the pixels that it goes with."""

PERCENTILES = (0.5, 99.5)
"""What becomes black and white where the file names no window."""
OVERLAID = 0.5
"""More pixels than that have no overlay in them."""
BEYOND = 1e9
"""No unit of measurement makes such numbers of 16 bits."""
LOOKED_UP = 128
"""So many rows at once: few enough that they stay in the cache."""
SAMPLED = 1 << 16
"""About this many pixels are looked at to find those percentiles."""


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """What a film's codes stand for."""

    codes: NDArray[Any]
    """(H, W), unsigned: which entry of a curve each pixel is."""
    curve: Curve
    """After the Modality LUT."""
    padding: NDArray[np.bool_]
    """By code: what lies outside the image."""
    present: NDArray[Any]
    """A sample of the codes inside it."""
    inverted: bool
    """MONOCHROME1: low is bright."""

    @classmethod
    def of(cls, pixels: NDArray[Any], dataset: Dataset) -> Self:
        codes = as_codes(pixels)
        stored = stored_values(dataset, pixels.dtype.itemsize * 8)
        padding = is_padding(dataset, stored)
        step = max(1, math.isqrt(pixels.size // SAMPLED))
        sample = codes[::step, ::step]
        check_unused_bits(sample, dataset)
        inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
        return cls(codes, modality_values(dataset, stored), padding, sample[~padding[sample]], inverted)

    def pixels(self, grey: Curve) -> Grey:
        """The film whose codes have the values ``grey``, in 0..1, turned so that bright is dense."""
        turned = 1.0 - grey if self.inverted else grey
        table = np.where(self.padding, 0.0, turned).astype(np.float32)
        if not np.isfinite(table).all():
            raise ImagingError("a lookup table, window or rescale slope of the image has no numbers")
        film = np.empty(self.codes.shape, np.float32)
        for row in range(0, len(film), LOOKED_UP):
            part = slice(row, row + LOOKED_UP)
            # There is no code without an entry; "wrap" is the quickest way not to ask.
            np.take(table, self.codes[part], out=film[part], mode="wrap")
        return film


def displayed(pixels: NDArray[Any], dataset: Dataset) -> Grey:
    """Decoded (H, W) integers to grey in 0..1, bright being dense, as MONOCHROME2 shows a radiograph."""
    tones = Tones.of(pixels, dataset)
    return tones.pixels(values_of_interest(dataset, tones.curve, tones.present))


def whole_range(pixels: NDArray[Any], dataset: Dataset) -> tuple[Grey, Window]:
    """All that was measured in 0..1, bright being dense, and the window through which :func:`displayed` sees it.

    For a viewer with a window of its own. Where the file names a curve and no window, the curve is applied.
    """
    tones = Tones.of(pixels, dataset)
    window = window_of(dataset, tones.curve, tones.present)
    if window is None:
        return tones.pixels(values_of_interest(dataset, tones.curve, tones.present)), (0.0, 1.0)
    measured = np.zeros(len(tones.curve), dtype=np.bool_)
    measured[tones.codes] = True
    inside = tones.curve[measured & ~tones.padding]
    bottom, top = min(inside.min(), window[0]), max(inside.max(), window[1])
    low, high = ((edge - bottom) / max(top - bottom, 1e-9) for edge in window)
    grey = tones.pixels(_between(tones.curve, bottom, top))
    return grey, (1.0 - high, 1.0 - low) if tones.inverted else (low, high)


def as_codes(pixels: NDArray[Any]) -> NDArray[Any]:
    """The bit patterns of pixels as they were decoded, whatever their sign and the order of their bytes."""
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return native.view(f"u{native.itemsize}")


def stored_values(dataset: Dataset, width: int) -> Curve:
    """PS3.5 8.1.1: the value in Bits Stored below High Bit, whatever an old overlay left in the other bits."""
    stored, high = bits_of(dataset, width)
    codes = np.arange(1 << width) >> (high + 1 - stored) & ((1 << stored) - 1)
    if dataset.get("PixelRepresentation") == 1:
        codes = np.where(codes >= 1 << (stored - 1), codes - (1 << stored), codes)
    return codes.astype(np.float64)


def bits_of(dataset: Dataset, width: int) -> tuple[int, int]:
    """Bits Stored and High Bit; raise :class:`ImagingError` where they do not fit pixels of ``width`` bits."""
    stored = int(dataset.BitsStored)
    high = int(dataset.get("HighBit", stored - 1))
    if not 1 <= stored <= high + 1 <= width:
        raise ImagingError("the bits stored and the high bit of the image do not fit its pixels")
    return stored, high


def check_unused_bits(codes: NDArray[Any], dataset: Dataset) -> None:
    """Raise :class:`ImagingError` where most pixels need more bits than Bits Stored: what is left would be noise.

    An old overlay may lie in the bits above the High Bit, and a sign may go on there; neither is in most pixels.
    """
    stored, high = bits_of(dataset, codes.itemsize * 8)
    above = codes >> np.uint8(high) >> np.uint8(1)
    signs = ((1 << (codes.itemsize * 8 - high - 1)) - 1) * (codes >> np.uint8(high) & 1)
    used = above != 0
    if dataset.get("PixelRepresentation") == 1:
        used &= above != signs
    if used.mean() > OVERLAID:
        raise ImagingError(f"the pixels of the image have more than the {stored} bits that its header says")


def is_padding(dataset: Dataset, stored: Curve) -> NDArray[np.bool_]:
    """PS3.3 C.7.5.1.1.2: values from Pixel Padding Value to Pixel Padding Range Limit are outside the image."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(len(stored), dtype=np.bool_)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted(_signed_as_stored(int(end), dataset) for end in (first, first if limit is None else limit))
    return (stored >= ends[0]) & (stored <= ends[1])


def _signed_as_stored(number: int, dataset: Dataset) -> int:
    """The pixels' own sign (PS3.5 6.2, US or SS), which some scanners forget: -2000 comes as 63536."""
    code = number & 0xFFFF
    return code - (1 << 16) if dataset.get("PixelRepresentation") == 1 and code >= 1 << 15 else code


def modality_values(dataset: Dataset, stored: Curve) -> Curve:
    """PS3.3 C.11.1: the Modality LUT, or rescale slope and intercept."""
    if dataset.get("ModalityLUTSequence"):
        return _looked_up(dataset.ModalityLUTSequence[0], stored)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None or intercept is None:
        return stored
    steep, moved = float(slope), float(intercept)
    if not (0 < abs(steep) <= BEYOND and abs(moved) <= BEYOND):
        raise ImagingError("the rescale slope or intercept of the image cannot be meant")
    return stored * steep + moved


def values_of_interest(dataset: Dataset, curve: Curve, present: NDArray[Any]) -> Curve:
    """PS3.3 C.11.2: the first VOI LUT, else the first window, else the percentiles of the codes ``present``."""
    window = window_of(dataset, curve, present)
    if window is not None:
        return _between(curve, *window)
    if dataset.get("VOILUTSequence"):
        return _spread(_looked_up(dataset.VOILUTSequence[0], curve))
    return _sigmoid(curve, _first(dataset.WindowCenter), _first(dataset.WindowWidth))


def window_of(dataset: Dataset, curve: Curve, present: NDArray[Any]) -> Window | None:
    """What the VOI LUT makes black and what white, on the curve's scale; none where it is no straight line."""
    if dataset.get("VOILUTSequence"):
        return None
    center, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if math.isfinite(center) and width >= NARROWEST.get(function, math.inf):
        return None if function == "SIGMOID" else WINDOWS[function](center, width)
    if present.size == 0:
        raise ImagingError("the image is nothing but padding")
    low, high = np.percentile(curve[present], PERCENTILES)
    return float(low), float(high)


def _linear(center: float, width: float) -> Window:
    """PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5), held within 0 and 1."""
    return center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2


def _linear_exact(center: float, width: float) -> Window:
    """PS3.3 C.11.2.1.3.2: (x - c) / w + 0.5, held within 0 and 1."""
    return center - width / 2, center + width / 2


WINDOWS = {"LINEAR": _linear, "LINEAR_EXACT": _linear_exact}
NARROWEST = {"LINEAR": 1.0, "LINEAR_EXACT": 1e-6, "SIGMOID": 1e-6}
"""Window Width is at least 1 for the first, and for the others more than 0 (PS3.3 C.11.2.1.2, C.11.2.1.3)."""


def _sigmoid(x: Curve, center: float, width: float) -> Curve:
    """PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w))."""
    return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - center) / width, -60.0, 60.0)))


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
    if data is None:
        raise ImagingError("a lookup table of the image is empty")
    if isinstance(data, bytes):
        # Eight-bit entries may come one to a byte (PS3.3 C.11.1.1.1).
        word = ">u2" if item.original_encoding[1] is False else "<u2"
        data = np.frombuffer(data, dtype="u1" if bits <= 8 and len(data) < 2 * count else word)
    table = np.asarray(data, dtype=np.float64).ravel()[:count]
    if table.size == 0:
        raise ImagingError("a lookup table of the image is empty")
    if table.size < count:
        raise ImagingError("a lookup table of the image has fewer entries than it says")
    return table


def _first(value: Any) -> float:
    """The first of one or many numbers; ``nan`` where there is none."""
    if isinstance(value, str) or not hasattr(value, "__getitem__"):
        return float(value) if value not in (None, "") else math.nan
    return float(value[0]) if len(value) else math.nan
