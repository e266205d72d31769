"""Small DICOM instances, as a modality would send them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

DX = "1.2.840.10008.5.1.4.1.1.1.1"
UNCOMPRESSED, J2K = str(ExplicitVRLittleEndian), str(JPEG2000Lossless)


def ramp(rows: int = 8, columns: int = 10) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Grey values that grow from left to right and from top to bottom."""
    return np.arange(rows * columns, dtype=np.uint16).reshape(rows, columns)


def instance(
    study: str = "1.2.3",
    series: str = "1.2.3.1",
    uid: str = "1.2.3.1.1",
    *,
    compressed: bool = False,
    **elements: Any,
) -> bytes:
    """A DX image of a ramp, as a DICOM Part 10 file."""
    pixels = elements.pop("pixels", ramp())
    dataset = Dataset()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = study, series, uid
    dataset.SOPClassUID = DX
    dataset.PatientID, dataset.PatientName, dataset.Modality = "MRN1", "Müller^Jürgen", "DX"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDate = "20240501"
    dataset.set_pixel_data(pixels, "MONOCHROME2", pixels.dtype.itemsize * 8, generate_instance_uid=False)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if compressed:
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    file = BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()
