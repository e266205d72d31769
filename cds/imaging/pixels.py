"""From a DICOM file to the picture of a radiograph, and the few attributes that describe it.

Only the attributes of an allow-list are parsed: what identifies a person is never taken out of the file. Every
size is checked against the headers, of the data set and of the compressed frame, before anything is decoded.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, config, dcmread
from pydicom.pixels.processing import apply_color_lut

from cds.errors import ImagingError
from cds.imaging.burned_in import has_writing
from cds.imaging.decoding import decoded
from cds.imaging.deflated import inflated
from cds.imaging.frames import PER_FRAME, SHARED, frame_of, number_of_frames
from cds.imaging.grayscale import Grey, Window, displayed, whole_range

MAX_PIXELS = 50_000_000
"""Rows times columns; the largest flat-panel detectors have about 30 million."""
MAX_FRAMES = 1_000
MIN_SIDE = 64
"""A smaller picture is an icon, not a film."""

# pydicom's log and warnings quote the values that they complain about, and a value may be a name.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
config.settings.reading_validation_mode = config.IGNORE

DESCRIBING = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "BurnedInAnnotation",
)
DECODING = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    SHARED,
    PER_FRAME,
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    "PixelData",
)
ONE_SAMPLE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
WHOLE: Window = (0.0, 1.0)
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R BT.601, as PS3.3 C.7.6.3.1.2 has it for the Y of YBR_FULL."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Described:
    """What may be said about a film."""

    study_uid: str
    series_uid: str
    instance_uid: str
    modality: str
    view: str
    """``PA``, ``AP``, ``LL`` … as in View Position (0018,5101); empty when not stated, or not a code."""
    body_part: str
    photometric: str
    """As stored; the pixels are already turned the MONOCHROME2 way."""
    burned_in: bool | None
    """Whether a name may be in the picture itself: as Burned In Annotation (0028,0301) says, and true whatever it
    says where writing is seen; ``None``: not stated and not seen.
    """
    rows: int
    columns: int
    """As stored; of pixels there may be fewer, see :func:`read_radiograph`."""
    frames: int
    """How many the file has; one of them is the film."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Radiograph(Described):
    """One film: ``pixels`` (rows, columns) float32 in 0..1, bright being dense."""

    pixels: Grey
    window: Window = WHOLE
    """What of ``pixels`` is shown black and what white before anyone changes it."""


def read_radiograph(data: bytes, *, at_least: int | None = None, frame: int = 1) -> Radiograph:
    """Decode a DICOM Part 10 file; of a multi-frame image one frame.

    With ``at_least``, a JPEG 2000 film may be decoded at half its size, a quarter and so on, as long as its
    shorter side keeps that many pixels: a model's 224 pixels come of 512 fifteen times as fast as of 2,048.
    Raises :class:`ImagingError` with the reason for anything that is not a usable film.
    """
    dataset = parsed(data, [*DESCRIBING, *DECODING])
    check_size(dataset)
    with readable("the pixels cannot be decoded"):
        described = frame_of(dataset, frame)
        pixels = _grey(decoded(dataset, frame, at_least), described)
    return _film(dataset, pixels, WHOLE)


def read_whole_range(data: bytes, *, at_least: int | None = None, frame: int = 1) -> Radiograph:
    """The same file for a viewer: all that was measured, and the window to begin with."""
    dataset = parsed(data, [*DESCRIBING, *DECODING])
    check_size(dataset)
    with readable("the pixels cannot be decoded"):
        described = frame_of(dataset, frame)
        stored = decoded(dataset, frame, at_least)
        plain = stored.ndim == 2 and dataset.PhotometricInterpretation != "PALETTE COLOR"
        pixels, window = whole_range(stored, described) if plain else (_grey(stored, described), WHOLE)
    return _film(dataset, pixels, window)


def _film(dataset: FileDataset, pixels: Grey, window: Window) -> Radiograph:
    if is_blank(pixels, window):
        raise ImagingError("the image is blank")
    with readable("the image's description cannot be read"):
        return replace(_described(pixels, dataset), window=window)


@contextmanager
def readable(otherwise: str) -> Iterator[None]:
    """pydicom and its decoders raise nearly anything on a damaged file, and quote it: say only what failed."""
    try:
        yield
    except ImagingError:
        raise
    except Exception as error:
        raise ImagingError(f"{otherwise} ({type(error).__name__})") from None


def parsed(data: bytes, attributes: Sequence[str]) -> FileDataset:
    """Those attributes of a DICOM Part 10 file that has pixels, and no others; raise :class:`ImagingError`."""
    if data[128:132] != b"DICM":
        raise ImagingError("this is not a DICOM file")
    with readable("the DICOM file cannot be read"):
        dataset = dcmread(BytesIO(inflated(data)), specific_tags=list(attributes))
        if not dataset.get("PixelData") or "TransferSyntaxUID" not in dataset.file_meta:
            raise ImagingError("the DICOM file has no pixels")
        return dataset


def check_size(dataset: Dataset) -> None:
    """Raise :class:`ImagingError` where the header promises what no film is."""
    with readable("the image's header cannot be read"):
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        frames = number_of_frames(dataset)
        photometric, samples = str(dataset.PhotometricInterpretation), int(dataset.SamplesPerPixel)
        bits, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if min(rows, columns) < MIN_SIDE:
        raise ImagingError(f"the image is too small: {columns} x {rows}")
    if rows * columns > MAX_PIXELS or not 1 <= frames <= MAX_FRAMES:
        raise ImagingError(f"the image is too large: {columns} x {rows}, {frames} frames")
    if (samples, photometric in ONE_SAMPLE, photometric in COLOUR) not in ((1, True, False), (3, False, True)):
        raise ImagingError("the photometric interpretation is not that of a radiograph")
    if bits not in ((8, 16) if samples == 1 else (8,)):
        raise ImagingError(f"{bits} bits per pixel are not those of a radiograph")
    if not 1 <= stored <= bits:
        raise ImagingError(f"{stored} bits stored do not fit {bits} bits per pixel")


def _grey(pixels: NDArray[Any], dataset: Dataset) -> Grey:
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        coloured = apply_color_lut(pixels, dataset)
        return coloured.astype(np.float32) @ (LUMA / np.float32(np.iinfo(coloured.dtype).max))
    if pixels.ndim == 3:
        return pixels.astype(np.float32) @ (LUMA / np.float32(255))
    return displayed(pixels, dataset)


def is_blank(pixels: Grey, window: Window = WHOLE) -> bool:
    """Whether there is nothing to see: scored, a blank would pass for a film without findings."""
    low, high = np.percentile(pixels[::8, ::8], (1.0, 99.0))
    return bool(high - low < 0.01 * (window[1] - window[0]))


def _described(pixels: Grey, dataset: Dataset) -> Radiograph:
    return Radiograph(
        pixels=pixels,
        study_uid=uid_of(dataset, "StudyInstanceUID"),
        series_uid=uid_of(dataset, "SeriesInstanceUID"),
        instance_uid=uid_of(dataset, "SOPInstanceUID"),
        modality=code_of(dataset, "Modality"),
        view=code_of(dataset, "ViewPosition"),
        body_part=code_of(dataset, "BodyPartExamined"),
        photometric=str(dataset.PhotometricInterpretation),
        burned_in=_burned_in(pixels, dataset),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frames=number_of_frames(dataset),
    )


def _burned_in(pixels: Grey, dataset: Dataset) -> bool | None:
    stated = {"YES": True, "NO": False}.get(code_of(dataset, "BurnedInAnnotation"))
    reduced = pixels.shape != (dataset.Rows, dataset.Columns)
    return has_writing(pixels, reduced=reduced) or stated


def uid_of(dataset: Dataset, keyword: str) -> str:
    """The UID, or nothing where the attribute holds anything else."""
    value = str(dataset.get(keyword) or "")
    return value if re.fullmatch(r"[0-9.]{1,64}", value) else ""


def code_of(dataset: Dataset, keyword: str) -> str:
    """A code string (PS3.5 6.2, CS) in capitals, or nothing where the attribute holds anything else."""
    value = str(dataset.get(keyword) or "").strip().upper()
    return value if re.fullmatch(r"[A-Z0-9_ ]{1,16}", value) else ""
