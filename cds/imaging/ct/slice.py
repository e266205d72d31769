"""The slices in a file of a CT: Hounsfield units, and where in the patient they are (PS3.3 C.7.6.2, C.8.2.1).

A CT Image has one; an Enhanced CT Image (PS3.3 A.38) has one in each frame, described in functional groups.

As of a radiograph, only the attributes of an allow-list are parsed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset

from cds.errors import ImagingError
from cds.imaging.decoding import decoded
from cds.imaging.frames import PER_FRAME, frame_of, number_of_frames
from cds.imaging.grayscale import (
    as_codes,
    check_unused_bits,
    is_padding,
    modality_values,
    stored_values,
)
from cds.imaging.pixels import DECODING, DESCRIBING, check_size, code_of, parsed, readable, uid_of

Hounsfield = NDArray[np.int16]
Vector = NDArray[np.float64]

PLACING = (
    "ImageType",
    "FrameType",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleType",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
)
AIR, METAL = -1024, 30_000
"""Hounsfield units are held within these; what lies outside the image counts as air."""
MAX_SIDE = 2_048
MOST_SLICES = 600
"""A whole head in half millimetres has about 400."""
MOST_PIXELS = 160_000_000
"""Of all slices of a series together: 600 of 512 x 512, in two bytes each."""
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
    """Instance Number (0020,0013), 0 where not stated; of an instance with many frames the frame's, from 1."""
    frame: int | None
    """From 1, where the instance has many."""
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


@dataclass(frozen=True, slots=True, eq=False)
class CtInstance:
    """One file of a series, which has at least one slice."""

    slices: tuple[Slice, ...]
    """In the order of the frames."""

    @property
    def study_uid(self) -> str:
        return self.slices[0].study_uid

    @property
    def series_uid(self) -> str:
        return self.slices[0].series_uid

    @property
    def instance_uid(self) -> str:
        return self.slices[0].instance_uid


def read_instance(data: bytes, *, contrast_agent: bool | None = None) -> CtInstance:
    """Decode a DICOM Part 10 file; raise :class:`ImagingError` with the reason where one of its slices is none.

    ``contrast_agent``: whether one must have been given, or must not; ``None``: either.
    """
    dataset = _opened(data, contrast_agent)
    return CtInstance(tuple(_slices(dataset, range(1, number_of_frames(dataset) + 1))))


def read_slice(data: bytes, frame: int | None = None) -> Slice:
    """One slice of such a file: that of ``frame``, from 1, where it has many; raises as :func:`read_instance`."""
    [one] = _slices(_opened(data, None), [frame or 1])
    return one


def _opened(data: bytes, contrast_agent: bool | None) -> FileDataset:
    dataset = parsed(data, [*DESCRIBING, *DECODING, *PLACING])
    check_size(dataset)
    _check_slices(dataset)
    given = any(dataset.get(keyword) for keyword in ("ContrastBolusAgent", "ContrastBolusAgentSequence"))
    if contrast_agent not in (None, given):
        raise ImagingError(f"the CT was made {'without' if contrast_agent else 'with'} a contrast agent")
    return dataset


def _slices(dataset: FileDataset, frames: Sequence[int]) -> Iterator[Slice]:
    for number in frames:
        with readable("the slices of the CT are not described"):
            described = frame_of(dataset, number)
        with readable("the pixels cannot be decoded"):
            hounsfield = _hounsfield(decoded(dataset, number), described)
        yield _placed(hounsfield, described, number if number_of_frames(dataset) > 1 else None)


def _placed(hounsfield: Hounsfield, dataset: Dataset, frame: int | None) -> Slice:
    with readable("the slice does not say where it lies"):
        row, column = _directions(dataset)
        position = _numbers(dataset, "ImagePositionPatient", 3, FARTHEST)
        down, across = _numbers(dataset, "PixelSpacing", 2, LARGEST_PIXEL)
        if min(down, across) <= 0:
            raise ImagingError("the slice's pixels have no size")
    with readable("the slice's description cannot be read"):
        return Slice(
            hounsfield=hounsfield,
            study_uid=uid_of(dataset, "StudyInstanceUID"),
            series_uid=uid_of(dataset, "SeriesInstanceUID"),
            instance_uid=uid_of(dataset, "SOPInstanceUID"),
            modality=code_of(dataset, "Modality"),
            body_part=code_of(dataset, "BodyPartExamined"),
            number=frame or int(dataset.get("InstanceNumber") or 0),
            frame=frame,
            position=position,
            row=row,
            column=column,
            spacing=(float(down), float(across)),
            thickness=_thickness(dataset),
            localizer="LOCALIZER" in (*_values(dataset, "ImageType"), *_values(dataset, "FrameType")),
            burned_in={"YES": True, "NO": False}.get(code_of(dataset, "BurnedInAnnotation")),
        )


def _check_slices(dataset: Dataset) -> None:
    with readable("the slice's header cannot be read"):
        frames = number_of_frames(dataset)
        if frames > 1 and PER_FRAME not in dataset:
            raise ImagingError("the CT has many frames and does not say where each lies")
        if frames > MOST_SLICES or frames * dataset.Rows * dataset.Columns > MOST_PIXELS:
            raise ImagingError("the CT has more slices or pixels than are read at once")
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
    if float(scale[0]) < 0:
        raise ImagingError("the slice's rescale slope turns its values round")
    values = np.clip(np.where(is_padding(dataset, stored), AIR, values), AIR, METAL)
    codes = as_codes(pixels)
    check_unused_bits(codes, dataset)
    return np.take(values.round().astype(np.int16), codes)


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
