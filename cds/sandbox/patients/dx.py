"""DX images: Digital X-Ray Image Storage - For Presentation (PS3.3 A.26)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, JPEG2000Lossless

from cds.sandbox.patients.people import HOSPITAL, Person
from cds.sandbox.patients.sample import uid

SOP_CLASS = str(DigitalXRayImageStorageForPresentation)
BITS = 12
WHITE = 2**BITS - 1
SYNTHETIC = "SYNTHETIC \u2013 not a real patient"

VIEWS = {
    "PA": ("R-10214", "postero-anterior", ("R", "F"), "U"),
    "AP": ("R-10206", "antero-posterior", ("L", "F"), "U"),
    "LL": ("R-10236", "left lateral", ("A", "F"), "U"),
}
"""By View Position: its SNOMED-RT code and meaning (CID 4010), Patient Orientation, Image Laterality."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded image: its pixels as they stand in the file."""

    rows: int
    columns: int
    inverted: bool
    """MONOCHROME1: the least value is white."""
    compressed: bool
    """JPEG 2000 lossless, else native little endian."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Shot:
    """Where and when one image was taken."""

    study_uid: str
    series_uid: str
    instance_uid: str
    series_number: int
    view: str
    taken: datetime
    spacing_mm: float


def encode(film: NDArray[np.uint16], *, inverted: bool = False, compressed: bool = False) -> Frame:
    """A film of 12 bits (bright is dense) as the pixels of a DX image."""
    pixels = np.ascontiguousarray(WHITE - film if inverted else film, "<u2")
    rows, columns = pixels.shape
    data = _jpeg2000(pixels) if compressed else pixels.tobytes()
    return Frame(rows, columns, inverted, compressed, data)


def _jpeg2000(pixels: NDArray[np.uint16]) -> bytes:
    return get_encoder(JPEG2000Lossless).encode(
        pixels,
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=16,
        bits_stored=BITS,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        encoding_plugin="pylibjpeg",
    )


def instance(person: Person, shot: Shot, frame: Frame) -> bytes:
    """One synthetic film as a DICOM Part 10 file, the same bytes for the same arguments."""
    return written(dataset(person, shot, frame, comment=SYNTHETIC))


def written(dataset: Dataset) -> bytes:
    """The data set as a DICOM Part 10 file."""
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def dataset(person: Person, shot: Shot, frame: Frame, *, comment: str) -> Dataset:
    """One DX image with its file meta information."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless if frame.compressed else ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(uid("implementation"))
    dataset.file_meta.ImplementationVersionName = "SANDBOX"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = SOP_CLASS, shot.instance_uid
    identify(dataset, person, shot)
    dataset.ImageComments = dataset.DerivationDescription = comment
    _describe_series(dataset, shot)
    _describe_view(dataset, shot)
    _describe_pixels(dataset, shot, frame)
    return dataset


def identify(dataset: Dataset, person: Person, shot: Shot) -> None:
    """The Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1)."""
    dataset.PatientName = f"{person.family}^{person.given.replace(' ', '^', 1)}"
    dataset.PatientID = person.mrn
    dataset.IssuerOfPatientID = "LAKEMERE"
    dataset.PatientBirthDate = person.born.strftime("%Y%m%d")
    dataset.PatientSex = person.sex
    dataset.PatientAge = f"{person.age(shot.taken.date()):03d}Y"
    dataset.StudyInstanceUID = shot.study_uid
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = f"{shot.taken:%Y%m%d}"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = f"{shot.taken:%H%M%S}"
    dataset.TimezoneOffsetFromUTC = "+0000"
    dataset.AccessionNumber = f"A{uid(shot.study_uid)[-9:]}"
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.StudyDescription = "XR CHEST"


def _describe_series(dataset: Dataset, shot: Shot) -> None:
    """The General and DX Series and General Equipment modules (PS3.3 C.7.3.1, C.8.11.1, C.7.5.1)."""
    dataset.Modality = "DX"
    dataset.SeriesInstanceUID = shot.series_uid
    dataset.SeriesNumber = shot.series_number
    dataset.SeriesDescription = f"CHEST {shot.view}"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.BodyPartExamined = "CHEST"
    dataset.Manufacturer = "Sandbox"
    dataset.ManufacturerModelName = "Radiograph generator"
    dataset.InstitutionName = HOSPITAL
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"


def _describe_view(dataset: Dataset, shot: Shot) -> None:
    """The General Image, DX Anatomy Imaged and DX Positioning modules (PS3.3 C.7.6.1, C.8.11.2, C.8.11.5)."""
    code, meaning, orientation, laterality = VIEWS[shot.view]
    dataset.InstanceNumber = 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.PatientOrientation = list(orientation)
    dataset.ImageLaterality = laterality
    dataset.ViewPosition = shot.view
    dataset.ViewCodeSequence = [_coded(code, "SRT", meaning)]
    dataset.AnatomicRegionSequence = [_coded("51185008", "SCT", "Chest")]
    dataset.AcquisitionContextSequence = []


def _describe_pixels(dataset: Dataset, shot: Shot, frame: Frame) -> None:
    """The Image Pixel, DX Image, DX Detector and VOI LUT modules (PS3.3 C.7.6.3, C.8.11.3, C.8.11.4, C.11.2)."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if frame.inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = frame.rows, frame.columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if frame.inverted else -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape = "INVERSE" if frame.inverted else "IDENTITY"
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "YES"
    dataset.DetectorType = "DIRECT"
    spacing = f"{shot.spacing_mm:.6f}"
    dataset.ImagerPixelSpacing = dataset.PixelSpacing = [spacing, spacing]
    dataset.PixelSpacingCalibrationType = "GEOMETRY"
    dataset.PixelData = encapsulate([frame.data]) if frame.compressed else frame.data
    dataset["PixelData"].VR = "OB" if frame.compressed else "OW"


def _coded(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
