"""What we store beside a film has in common: whose study it joins, who made it, and UIDs that never change.

The same prescreen gives the same bytes, so storing it again stores nothing new.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Self
from uuid import UUID

from pydicom import DataElement, Dataset, config, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.multival import MultiValue
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
)

from cds.errors import ImagingError
from cds.findings import Finding, ModelVersion, Prescreen
from cds.imaging.deflated import inflated

WARNING = "AI, preliminary, not for diagnosis"
"""On everything that we store in a PACS, where whoever looks at it cannot miss it."""
MANUFACTURER = "Sightline"

PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "TimezoneOffsetFromUTC",
)
"""Without these a PACS would not file it with the film (PS3.3 C.7.1.1, C.7.2.1)."""
MAY_BE_EMPTY = frozenset(PATIENT_AND_STUDY) - {"IssuerOfPatientID", "StudyDescription", "TimezoneOffsetFromUTC"}
"""Type 2: present, if only without a value."""
SINGLE_FRAME = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
)
"""Whose images have one frame, so that none may be referred to (PS3.3 table 10-3), whatever a file holds."""
REFERENCES = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "PatientOrientation")


@dataclass(frozen=True, slots=True)
class Source:
    """The film that was scored, as what we store refers to it. Who the patient is stays in :attr:`patient`."""

    sop_class_uid: str
    instance_uid: str
    series_uid: str
    study_uid: str
    orientation: tuple[str, ...]
    """Patient Orientation (0020,0020): of the first row and the first column; empty where not stated."""
    patient: Dataset
    """The Patient and General Study modules, to be copied into the same study and nowhere else."""

    @classmethod
    def read(cls, file: bytes) -> Self:
        """Of a DICOM Part 10 file; raise :class:`ImagingError` where that cannot be referred to."""
        tags = ["SpecificCharacterSet", *PATIENT_AND_STUDY, *REFERENCES]
        try:
            header = dcmread(BytesIO(inflated(file)), specific_tags=tags)
            header.decode()
            sop_class, instance, series = (str(header[keyword].value) for keyword in REFERENCES[:3])
            patient = _patient(header)
        except (KeyError, ValueError, TypeError, AttributeError, EOFError, LookupError):
            raise ImagingError("the film's header does not say whose it is") from None
        orientation = header.get("PatientOrientation") or ()
        return cls(
            sop_class,
            instance,
            series,
            str(patient.StudyInstanceUID),
            tuple(orientation) if isinstance(orientation, MultiValue) else (),
            patient,
        )


def frame_of(finding: Finding, prescreen: Prescreen, source: Source) -> int | None:
    """The frame, from 1, that a reference to what speaks for ``finding`` names."""
    return None if source.sop_class_uid in SINGLE_FRAME else prescreen.frame_of(finding)


def _patient(header: Dataset) -> Dataset:
    patient = Dataset()
    patient.SpecificCharacterSet = "ISO_IR 192"
    for keyword in PATIENT_AND_STUDY:
        value = str(header.get(keyword) or "")
        tag = tag_for_keyword(keyword)
        if tag is not None and (value or keyword in MAY_BE_EMPTY):
            # As it stands in the film, right or wrong: else the PACS would take it for another patient's.
            patient.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE))
    return patient


def derived_uid(prescreen: Prescreen, name: str) -> str:
    """The UID of what we make of a prescreen under that name (PS3.5 B.2): the same whenever it is made."""
    return f"2.25.{uuid.uuid5(UUID(prescreen.id), name).int}"


def image_model(prescreen: Prescreen) -> ModelVersion:
    """The model that scored the image; raise :class:`ImagingError` where none did."""
    for model in prescreen.models:
        if model.kind == "image":
            return model
    raise ImagingError("no image was scored")


def filed(dataset: Dataset, source: Source, prescreen: Prescreen) -> Dataset:
    """``dataset`` in the film's study: with its patient, our equipment, and the prescreen's time for its own."""
    model = image_model(prescreen)
    if prescreen.issued is None:
        raise ImagingError("the prescreen has no time")
    dataset.ManufacturerModelName, dataset.SoftwareVersions = model.name, model.version
    dataset.DeviceSerialNumber = model.digest
    dataset.SeriesDescription = WARNING
    return joined(dataset, source, prescreen.issued)


def joined(dataset: Dataset, source: Source, made: datetime) -> Dataset:
    """``dataset`` in the film's study, as of ``made``."""
    dataset.update(source.patient)
    dataset.Manufacturer = MANUFACTURER
    local = _local(made, source)
    for of in ("InstanceCreation", "Content", "Series"):
        setattr(dataset, f"{of}Date", f"{local:%Y%m%d}")
        setattr(dataset, f"{of}Time", f"{local:%H%M%S}")
    return dataset


def _local(moment: datetime, source: Source) -> datetime:
    """On the clock that the study's times are of (PS3.3 C.12.1.1.8)."""
    try:
        return moment.astimezone(datetime.strptime(str(source.patient.TimezoneOffsetFromUTC), "%z").tzinfo)
    except (AttributeError, ValueError):
        return moment.astimezone()


def blank(source: Source, sop_class_uid: str, instance_uid: str, series_uid: str) -> Dataset:
    """An instance of the film's study as a library refers to it, without who it is of.

    What is made of it gets the patient as he stands, not by way of the library's checks.
    """
    instance = Dataset()
    instance.SOPClassUID, instance.SOPInstanceUID = sop_class_uid, instance_uid
    instance.SeriesInstanceUID, instance.StudyInstanceUID = series_uid, source.study_uid
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"):
        setattr(instance, keyword, None)
    instance.StudyID = instance.StudyDate = instance.StudyTime = None
    return instance


def written(dataset: Dataset) -> bytes:
    """The data set as a DICOM Part 10 file."""
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
