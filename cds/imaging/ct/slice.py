"""One slice of a CT: Hounsfield units, and where in the patient they are (PS3.3 C.7.6.2, C.8.2.1).

As of a radiograph, only the attributes of an allow-list are parsed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from cds.errors import ImagingError
from cds.imaging.decoding import first_frame
from cds.imaging.grayscale import is_padding, modality_values, stored_values
from cds.imaging.pixels import DECODING, DESCRIBING, check_size, code_of, parsed, readable, uid_of

Hounsfield = NDArray[np.int16]
Vector = NDArray[np.float64]

PLACING = (
    "ImageType",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleType",
    "ContrastBolusAgent",
)
AIR, METAL = -1024, 30_000
"""Hounsfield units are held within these; what lies outside the image counts as air."""
MAX_SIDE = 2_048
FARTHEST = 10_000.0
"""Millimetres; no scanner has a table so long."""
LARGEST_PIXEL = 10.0
"""Millimetres."""
SKEW = 0.01
"""So far the direction cosines, which are rounded in the file, may be from right angles and length 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """One slice of a series."""

    hounsfield: Hounsfield
    """(rows, columns)."""
    study_uid: str
    series_uid: str
    instance_uid: str
    modality: str
    body_part: str
    number: int
    """Instance Number (0020,0013); 0 where not stated."""
    position: Vector
    """Of the first pixel's middle: (x, y, z) in millimetres, to the patient's left, back and head."""
    row: Vector
    """The direction along a row: (x, y, z), of length 1."""
    column: Vector
    """The same down a column."""
    spacing: tuple[float, float]
    """Millimetres from one row to the next, and from one column to the next."""
    thickness: float | None
    """Millimetres."""
    localizer: bool
    burned_in: bool | None
    """As Burned In Annotation (0028,0301) says."""

    @property
    def normal(self) -> Vector:
        """Right-handed: of an axial slice as it is usually shown, towards the head."""
        return np.cross(self.row, self.column)

    @property
    def place(self) -> float:
        """How far along its normal it lies, in millimetres."""
        return float(self.position @ self.normal)


def read_slice(data: bytes, *, contrast_agent: bool | None = None) -> Slice:
    """Decode a DICOM Part 10 file; raise :class:`ImagingError` with the reason where it is no slice of a CT.

    ``contrast_agent``: whether one must have been given, or must not; ``None``: either.
    """
    dataset = parsed(data, [*DESCRIBING, *DECODING, *PLACING])
    check_size(dataset)
    _check_slice(dataset)
    if contrast_agent not in (None, bool(dataset.get("ContrastBolusAgent"))):
        raise ImagingError(f"the CT was made {'without' if contrast_agent else 'with'} a contrast agent")
    with readable("the slice does not say where it lies"):
        row, column = _directions(dataset)
        position = _numbers(dataset, "ImagePositionPatient", 3, FARTHEST)
        down, across = _numbers(dataset, "PixelSpacing", 2, LARGEST_PIXEL)
        if min(down, across) <= 0:
            raise ImagingError("the slice's pixels have no size")
    with readable("the pixels cannot be decoded"):
        hounsfield = _hounsfield(first_frame(dataset), dataset)
    with readable("the slice's description cannot be read"):
        return Slice(
            hounsfield=hounsfield,
            study_uid=uid_of(dataset, "StudyInstanceUID"),
            series_uid=uid_of(dataset, "SeriesInstanceUID"),
            instance_uid=uid_of(dataset, "SOPInstanceUID"),
            modality=code_of(dataset, "Modality"),
            body_part=code_of(dataset, "BodyPartExamined"),
            number=int(dataset.get("InstanceNumber") or 0),
            position=position,
            row=row,
            column=column,
            spacing=(float(down), float(across)),
            thickness=_thickness(dataset),
            localizer="LOCALIZER" in _values(dataset, "ImageType"),
            burned_in={"YES": True, "NO": False}.get(code_of(dataset, "BurnedInAnnotation")),
        )


def _check_slice(dataset: Dataset) -> None:
    with readable("the slice's header cannot be read"):
        if int(dataset.get("NumberOfFrames") or 1) != 1:
            raise ImagingError("the CT has many frames in one file, which is not read here")
        if dataset.SamplesPerPixel != 1 or not str(dataset.PhotometricInterpretation).startswith("MONOCHROME"):
            raise ImagingError("the slice is a coloured picture, not a CT")
        if max(dataset.Rows, dataset.Columns) > MAX_SIDE:
            raise ImagingError(f"the slice is too large: {dataset.Columns} x {dataset.Rows}")


def _hounsfield(pixels: NDArray[Any], dataset: Dataset) -> Hounsfield:
    """By Rescale Slope and Intercept (PS3.3 C.11.1.1.2), which a CT must have."""
    scale = [dataset.get(keyword) for keyword in ("RescaleSlope", "RescaleIntercept")]
    if None in scale or dataset.get("ModalityLUTSequence"):
        raise ImagingError("the slice does not say how its values become Hounsfield units")
    if code_of(dataset, "RescaleType") not in ("", "HU"):
        raise ImagingError("the slice's values are not in Hounsfield units")
    stored = stored_values(dataset, pixels.dtype.itemsize * 8)
    values = modality_values(dataset, stored)
    if not np.isfinite(values).all() or float(scale[0]) <= 0:
        raise ImagingError("the slice's rescale slope or intercept is none")
    values = np.clip(np.where(is_padding(dataset, stored), AIR, values), AIR, METAL)
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return np.take(values.round().astype(np.int16), native.view(f"u{native.itemsize}"))


def _directions(dataset: Dataset) -> tuple[Vector, Vector]:
    cosines = _numbers(dataset, "ImageOrientationPatient", 6, 1 + SKEW)
    row, column = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > SKEW or abs(row @ column) > SKEW:
        raise ImagingError("the slice's rows and columns are not at right angles")
    return row, column


def _numbers(dataset: Dataset, keyword: str, count: int, most: float) -> Vector:
    numbers = np.array([float(value) for value in _values(dataset, keyword)])
    if len(numbers) != count or not (np.abs(numbers) <= most).all():
        raise ImagingError(f"the slice's {keyword} is not {count} numbers that can be meant")
    return numbers


def _values(dataset: Dataset, keyword: str) -> Sequence[Any]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _thickness(dataset: Dataset) -> float | None:
    value = dataset.get("SliceThickness")
    thickness = float(value) if value not in (None, "") else math.nan
    return thickness if 0 < thickness <= LARGEST_PIXEL * 10 else None
