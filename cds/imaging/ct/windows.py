"""From Hounsfield units to the picture of a slice that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds.imaging.ct.slice import Hounsfield
from cds.imaging.framing import Placement
from cds.imaging.smoothing import Pixels, smoothed

Picture = NDArray[np.float32]
"""(channels, rows, columns) in 0..1."""
Window = Mapping[str, float]
"""``center`` and ``width`` in Hounsfield units, such as 40 and 80 for a brain."""


def windowed(hounsfield: Hounsfield, window: Window) -> Pixels:
    """Black up to ``center - width / 2``, white from ``center + width / 2`` on (PS3.3 C.11.2.1.3.2)."""
    low = window["center"] - window["width"] / 2
    grey: Pixels = np.clip((hounsfield.astype(np.float32) - low) / window["width"], 0, 1)
    return grey


def pictured(hounsfield: Hounsfield, asked: Mapping[str, Any]) -> Picture:
    """A slice as a bundle's ``input`` asks for it: one channel for each of its windows, or all of its one window.

    The whole slice fills ``height`` and ``width``: nothing is cut off, and no contrast is stretched.
    """
    size = (asked["height"], asked["width"])
    windows: Sequence[Window] = asked["windows"]
    channels = [np.clip(smoothed(windowed(hounsfield, window), size), 0, 1) for window in windows]
    return np.stack(channels * (asked["channels"] // len(channels)))


def placement(hounsfield: Hounsfield, asked: Mapping[str, Any]) -> Placement:
    """Where :func:`pictured` puts a slice: all of it fills all of the picture."""
    rows, columns = hounsfield.shape
    return Placement(0, rows, 0, columns, asked["height"], asked["width"], 0, 0)
