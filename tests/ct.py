"""A CT made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.imaging.conftest import make_file

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_IMAGE = f"{CT_IMAGE}.1"
STUDY, SERIES = "1.2.826.7", "1.2.826.7.1"
STEP = 5.0
"""Millimetres."""


def head(place: float, *, bleeding: float = 0.0) -> NDArray[np.int16]:
    """Hounsfield units of a slice (96 x 96) of a skull with brain in it; ``bleeding``: how far across, 0 to 1."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    radius = np.hypot(x, y) + 0.05 * np.sin(place / 20)
    units = np.full(radius.shape, -1000.0)
    units[radius < 0.85] = 900
    units[radius < 0.75] = 35 + 4 * np.sin(9 * x)[radius < 0.75]
    units[np.hypot(x - 0.3, y) < 0.4 * bleeding] = 75
    return units.astype(np.int16)


def make_slice(number: int, place: float | None = None, *, bleeding: float = 0.0, **attributes: Any) -> bytes:
    """The ``number``-th slice of an axial series, ``place`` millimetres up."""
    up = STEP * number if place is None else place
    placed: dict[str, Any] = {
        "SOPClassUID": CT_IMAGE,
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "SOPInstanceUID": f"{SERIES}.{number}",
        "Modality": "CT",
        "BodyPartExamined": "HEAD",
        "ViewPosition": "",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SeriesNumber": 2,
        "InstanceNumber": number,
        "ImagePositionPatient": [-100, -100, up],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [2, 2],
        "SliceThickness": STEP,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "WindowCenter": 40,
        "WindowWidth": 80,
    }
    stored = (head(up, bleeding=bleeding) + 1024).astype(np.uint16)
    given = {name: value for name, value in (placed | attributes).items() if value is not None}
    return make_file(stored, **given)


def make_series(count: int, bleeding: Sequence[float] = (), **attributes: Any) -> list[bytes]:
    """``count`` slices from below upwards; ``bleeding`` of the first, the second …"""
    bleeds = [*bleeding, *([0.0] * count)]
    return [make_slice(n, bleeding=bleeds[n - 1], **attributes) for n in range(1, count + 1)]


def group(**attributes: Any) -> list[Dataset]:
    """A functional group: a sequence of one item."""
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return [item]


def make_enhanced(
    count: int,
    bleeding: Sequence[float] = (),
    *,
    syntax: UID = ExplicitVRLittleEndian,
    places: Sequence[float] | None = None,
    **attributes: Any,
) -> bytes:
    """The same series in one Enhanced CT Image: frames of -1,024 at 0, each with a place of its own."""
    ups = [STEP * number for number in range(1, count + 1)] if places is None else places
    bleeds = [*bleeding, *([0.0] * count)]
    stored = [(head(up, bleeding=bleed) + 1024).astype(np.uint16) for up, bleed in zip(ups, bleeds, strict=False)]
    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = group(PixelSpacing=[2, 2], SliceThickness=STEP)
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PixelValueTransformationSequence = group(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")
    shared.FrameVOILUTSequence = group(WindowCenter=40, WindowWidth=80)
    for up in ups:
        frame = Dataset()
        frame.PlanePositionSequence = group(ImagePositionPatient=[-100, -100, up])
        frame.CTImageFrameTypeSequence = group(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
        frames.append(frame)
    described: dict[str, Any] = {
        "SOPClassUID": ENHANCED_CT_IMAGE,
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "SOPInstanceUID": f"{SERIES}.100",
        "Modality": "CT",
        "BodyPartExamined": "HEAD",
        "ViewPosition": "",
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "SeriesNumber": 2,
        "InstanceNumber": 1,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": frames,
    }
    return make_file(np.stack(stored), syntax, **(described | attributes))
