"""A film with what speaks for a finding laid over it and words burned in, as Secondary Capture (PS3.3 A.8.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from cds.findings import Finding, Prescreen
from cds.imaging.derived import WARNING, Source, derived_uid, filed, frame_of, written
from cds.imaging.overlay import coloured
from cds.imaging.smoothing import Pixels

SERIES_NUMBER = 9_102
LONGER_SIDE = 1_024
"""Pixels; enough to see what is meant, not to read the film by."""
SMALLEST_TEXT, LARGEST_TEXT = 8, 40
LINE = 1.4
"""The height of a line, for a letter's 1."""

Colours = NDArray[np.uint8]


def picture(film: Pixels, saliency: Pixels, lines: Sequence[str]) -> Colours:
    """(rows, columns, 3): the film, ``saliency`` (of its shape) over it, and under both a band of text.

    :data:`WARNING` is the first line, ``lines`` follow it.
    """
    grey = Image.fromarray((np.clip(film, 0, 1) * 255).round().astype(np.uint8))
    grey.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    over = Image.fromarray(saliency).resize(grey.size, Image.Resampling.BOX)
    seen = grey.convert("RGBA")
    seen.alpha_composite(Image.fromarray(coloured(np.asarray(over))))
    return np.vstack([np.asarray(seen.convert("RGB")), _band([WARNING, *lines], grey.width)])


def _band(lines: Sequence[str], width: int) -> Colours:
    size = next((s for s in range(LARGEST_TEXT, SMALLEST_TEXT, -1) if _fits(lines, s, width)), SMALLEST_TEXT)
    step = round(LINE * size)
    band = Image.new("RGB", (width, step * len(lines) + size))
    draw = ImageDraw.Draw(band)
    for number, line in enumerate(lines):
        draw.text((size // 2, size // 2 + number * step), line, "white", ImageFont.load_default(size))
    return np.asarray(band)


def _fits(lines: Sequence[str], size: int, width: int) -> bool:
    font = ImageFont.load_default(size)
    return max(font.getlength(line) for line in lines) + size <= width


def secondary_capture(
    prescreen: Prescreen, source: Source, finding: Finding, number: int, colours: Colours, *, burned_in: bool
) -> bytes:
    """A DICOM Part 10 file of ``colours``, the ``number``-th of the series, about ``finding``.

    ``burned_in``: whether the film has writing in it that may name a person; our own words never do.
    Raises :class:`~cds.errors.ImagingError` where the prescreen has no image, or no time.
    """
    capture = Dataset()
    capture.file_meta = FileMetaDataset()
    capture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    capture.SOPClassUID = SecondaryCaptureImageStorage
    capture.SOPInstanceUID = derived_uid(prescreen, f"SC/{finding.key}")
    capture.SeriesInstanceUID = derived_uid(prescreen, "SC/series")
    capture.SeriesNumber, capture.InstanceNumber = SERIES_NUMBER, number
    capture.Modality, capture.ConversionType = "OT", "WSD"
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.DerivationDescription = capture.ImageComments = WARNING
    capture.PatientOrientation, capture.Laterality = list(source.orientation), ""
    capture.SourceImageSequence = [_of(source, frame_of(finding, prescreen, source))]
    capture.BurnedInAnnotation = "YES" if burned_in else "NO"
    _set_pixels(capture, colours)
    return written(filed(capture, source, prescreen))


def _of(source: Source, frame: int | None) -> Dataset:
    film = Dataset()
    film.ReferencedSOPClassUID, film.ReferencedSOPInstanceUID = source.sop_class_uid, source.instance_uid
    if frame:
        film.ReferencedFrameNumber = frame
    purpose = Dataset()
    code = codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    film.PurposeOfReferenceCodeSequence = [purpose]
    return film


def _set_pixels(capture: Dataset, colours: Colours) -> None:
    """The Image Pixel module (PS3.3 C.7.6.3)."""
    capture.Rows, capture.Columns, capture.SamplesPerPixel = colours.shape
    capture.PhotometricInterpretation, capture.PlanarConfiguration = "RGB", 0
    capture.BitsAllocated, capture.BitsStored, capture.HighBit = 8, 8, 7
    capture.PixelRepresentation = 0
    capture.LossyImageCompression = "00"
    data = np.ascontiguousarray(colours, np.uint8).tobytes()
    capture.PixelData = data + b"\0" * (len(data) % 2)
