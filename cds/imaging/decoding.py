"""A frame of an image, decoded, whatever transfer syntax it came in (PS3.5 section 10 and annex A).

libjpeg-turbo, CharLS and OpenJPEG decode what is compressed, through imagecodecs. A codestream must be of the size
that the data set states before one of them is given it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from imagecodecs import dicomrle_decode, jpeg2k_decode, jpeg8_decode, jpegls_decode
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels.processing import convert_color_space
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from cds.errors import ImagingError, UnsupportedSyntax
from cds.imaging import jpeg2000
from cds.imaging.codestream import Codestream
from cds.imaging.frames import number_of_frames

Stored = NDArray[Any]
"""Integers as stored: (rows, columns), or (rows, columns, 3) in RGB."""

RETIRED_JPEG = ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")
"""Spectral selection and full progression: retired in 2004, and still in archives."""
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
SPACE_MARKERS = (b"\xff\xe0\x00\x10JFIF\0", b"\xff\xee\x00\x0eAdobe")
"""APP0 of JFIF and APP14 of Adobe, which tell the colour space."""
END = b"\xff\xd9"
"""EOI of JPEG and JPEG-LS, EOC of JPEG 2000. Without it a decoder fills up what was cut off with grey."""

THREADS = min(4, os.cpu_count() or 1)
"""Of one whole JPEG 2000 film: they cost nothing more together, and somebody waits."""


def decoded(dataset: FileDataset, number: int = 1, at_least: int | None = None) -> Stored:
    """The frame ``number``, from 1; of JPEG 2000 one whose shorter side may be reduced to ``at_least`` pixels.

    Raises :class:`ImagingError` where the frame is of another size than the image, :class:`UnsupportedSyntax`
    where nothing here decodes it, and what the decoders raise where it is damaged.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in NATIVE:
        _check_length(dataset)
        # As stored: which bits of a pixel count is told by its High Bit, wherever that is.
        return pixel_array(dataset, index=number - 1, correct_unused_bits=False)
    if syntax not in _DECODERS:
        named = syntax.name if syntax.name != syntax else "one that PS3.6 does not have"
        raise UnsupportedSyntax(f"the transfer syntax cannot be decoded here: {named}")
    frame = get_frame(dataset.PixelData, number - 1, number_of_frames=number_of_frames(dataset))
    if syntax != RLELossless:
        _check(frame, dataset)
    if at_least and syntax in jpeg2000.SYNTAXES and dataset.SamplesPerPixel == 1:
        skip = jpeg2000.levels_to_skip(min(dataset.Rows, dataset.Columns), at_least)
        with suppress(OSError):
            return jpeg2000.reduced(frame, skip, int(dataset.BitsStored))
    pixels = _DECODERS[syntax](frame, dataset)
    if pixels.shape[:2] != (dataset.Rows, dataset.Columns):
        raise ImagingError("the compressed frame has another size than the image")
    return pixels


def _check_length(dataset: FileDataset) -> None:
    """Fewer pixels than the header promises pydicom refuses; so many more are of another picture than it says."""
    row = int(dataset.Columns) * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated) // 8
    promised = row * int(dataset.Rows) * number_of_frames(dataset)
    if len(dataset.PixelData) >= promised + 2 * row:
        raise ImagingError("the image has more pixels than its header says")


def _check(frame: bytes, dataset: Dataset) -> None:
    codestream = Codestream.read(frame)
    if (codestream.columns, codestream.rows) != (dataset.Columns, dataset.Rows):
        raise ImagingError("the compressed frame has another size than the image")
    if codestream.samples != dataset.SamplesPerPixel or not 1 <= codestream.bits <= dataset.BitsAllocated:
        raise ImagingError("the compressed frame has another depth or number of samples than the image")
    if END not in frame[-64:]:
        raise ImagingError("the compressed frame is cut off")


def _jpeg(frame: bytes, dataset: Dataset) -> Stored:
    # Where the codestream does not say what its three samples are, a decoder takes them for YCbCr.
    if dataset.PhotometricInterpretation == "RGB" and not any(marker in frame[:4_096] for marker in SPACE_MARKERS):
        return jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
    return jpeg8_decode(frame)


def _jpeg_ls(frame: bytes, dataset: Dataset) -> Stored:
    return jpegls_decode(frame)


def _jpeg2000(frame: bytes, dataset: Dataset) -> Stored:
    return jpeg2k_decode(frame, numthreads=THREADS)


def _rle(frame: bytes, dataset: Dataset) -> Stored:
    """PS3.5 annex G. Run lengths name no size, but never double it by much."""
    shape = (int(dataset.SamplesPerPixel), int(dataset.Rows), int(dataset.Columns))
    sample = np.dtype(f"<u{int(dataset.BitsAllocated) // 8}")
    expected = int(np.prod(shape)) * sample.itemsize
    if len(frame) > 2 * expected + 64:
        raise ImagingError("the compressed frame has another size than the image")
    # Given a place to write to, it stops where that is full.
    planes: Stored = np.frombuffer(dicomrle_decode(frame, sample, out=bytearray(expected)), sample).reshape(shape)
    if len(planes) == 1:
        return np.asarray(planes[0])
    pixels: Stored = np.moveaxis(planes, 0, 2)
    if dataset.PhotometricInterpretation != "RGB":
        pixels = np.asarray(convert_color_space(pixels, "YBR_FULL", "RGB"))
    return pixels


_DECODERS: dict[str, Callable[[bytes, Dataset], Stored]] = {
    RLELossless: _rle,
    **dict.fromkeys((*JPEGTransferSyntaxes, *RETIRED_JPEG), _jpeg),
    **dict.fromkeys(JPEGLSTransferSyntaxes, _jpeg_ls),
    **dict.fromkeys(jpeg2000.SYNTAXES, _jpeg2000),
}
