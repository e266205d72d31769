"""DICOM files made on the spot, each with one thing to it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

DX = "1.2.840.10008.5.1.4.1.1.1.1"
STUDY, SERIES, INSTANCE = "1.2.826.1", "1.2.826.1.2", "1.2.826.1.2.3"
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)

MakeFile = Callable[..., bytes]


def make_file(
    pixels: NDArray[Any],
    syntax: UID = ExplicitVRLittleEndian,
    *,
    stored: int | None = None,
    codestream: bytes | None = None,
    **attributes: Any,
) -> bytes:
    """A DX image of ``pixels`` (rows, columns), (frames, rows, columns) or (rows, columns, 3).

    ``codestream``: the same, compressed elsewhere.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax if syntax in NATIVE else ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DX
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = INSTANCE
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "MRN-4711"
    dataset.Modality, dataset.ViewPosition, dataset.BodyPartExamined = "DX", "PA", "CHEST"
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.ndim == 3 and not colour:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for name, value in attributes.items():
        setattr(dataset, name, value)
    if codestream is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([codestream])
        dataset["PixelData"].is_undefined_length = True
    elif syntax == DeflatedExplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax not in NATIVE:
        dataset.compress(syntax, generate_instance_uid=False)
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture(scope="session")
def dicom() -> MakeFile:
    return make_file


@pytest.fixture(scope="session")
def ramp() -> NDArray[np.uint16]:
    """128 x 256 pixels in 12 bits, rising from 0 at the left to 4,080 at the right."""
    return np.tile(np.arange(256, dtype=np.uint16) * 16, (128, 1))
