"""A folder of radiographs (PNG, JPEG, DICOM) as extra patients, one each."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import DataElement, Dataset, dcmread
from pydicom.uid import UID

from cds.errors import ImagingError
from cds.sandbox.patients import dx, resources
from cds.sandbox.patients.dx import Shot
from cds.sandbox.patients.people import INTERNIST, Person
from cds.sandbox.patients.sample import SamplePatient, transaction, uid
from cds.sandbox.radiograph import FIELD_CM

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_PIXELS = 64_000_000
PICTURES = {".png", ".jpg", ".jpeg"}
DICOM = {".dcm", ".dicom", ""}
IDENTIFYING = frozenset(
    """
    AdditionalPatientHistory CountryOfResidence EthnicGroup InstitutionAddress InstitutionName
    InstitutionalDepartmentName IssuerOfPatientID MilitaryRank Occupation OtherPatientIDs OtherPatientIDsSequence
    PatientAddress PatientBirthTime PatientComments PatientInsurancePlanCodeSequence
    PatientPrimaryLanguageCodeSequence PatientReligiousPreference PatientTelephoneNumbers RegionOfResidence
    ReferencedPatientSequence StationName
    """.split()  # noqa: SIM905 - read as a list of names
)

STORY = "A radiograph of your own"

_log = logging.getLogger(__name__)


def wrap_images(
    directory: Path, pacs_root: str, now: date, *, limit: int = 12, say: Callable[[str], None] = _log.warning
) -> list[SamplePatient]:
    """A patient for each radiograph in ``directory``, by file name, at most ``limit``.

    A picture becomes a DX image; a DICOM file stays as it is but for whom and which study it names. ``say`` is
    told of each file that cannot be used and of how many were left. Raises :class:`ImagingError` where there is no
    such directory or no radiograph in it.
    """
    if not directory.is_dir():
        raise ImagingError(f"{directory} is not a directory of images")
    files = sorted(
        path for path in directory.rglob("*") if path.suffix.lower() in PICTURES | DICOM and path.is_file()
    )
    wrapped: list[SamplePatient] = []
    for looked_at, path in enumerate(files):
        if len(wrapped) == limit:
            say(f"{limit} images were taken; {len(files) - looked_at} more are in {directory}")
            break
        try:
            wrapped.append(_wrap(path, len(wrapped) + 1, pacs_root, now))
        except ImagingError as error:
            say(f"{path.name} was left out: {error}")
    if not wrapped:
        raise ImagingError(f"{directory} holds no PNG, JPEG or DICOM image that can be used")
    return wrapped


def _wrap(path: Path, number: int, pacs_root: str, now: date) -> SamplePatient:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ImagingError("the file is larger than 256 MiB")
    person, data = _person(number), path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    shot = Shot(
        study_uid=uid(person.id, digest, "study"),
        series_uid=uid(person.id, digest, "series"),
        instance_uid=uid(person.id, digest, "instance"),
        series_number=1,
        view="PA",
        taken=datetime.combine(now, time(6, 30), UTC),
        spacing_mm=FIELD_CM * 10 / 1024,
    )
    picture = path.suffix.lower() in PICTURES
    return _patient(
        person, shot, _from_picture(data, person, shot) if picture else _renamed(data, person, shot), pacs_root
    )


def _person(number: int) -> Person:
    """Nobody: what the file says of its subject is not taken over."""
    return Person(
        id=f"image-{number}",
        given=f"Image {number}",
        family="Wrapped",
        sex="O",
        born=date(1970, 1, 1),
        mrn=f"LG-IMG-{number:04d}",
        phone="617-555-0199",
        street="1 Sandbox Way",
        city="Boston",
        state="MA",
        postcode="02101",
    )


def _from_picture(data: bytes, person: Person, shot: Shot) -> Dataset:
    """A grey picture of 8 or 16 bits as a DX image of 12 bits; it is taken for a frontal view."""
    try:
        with (
            warnings.catch_warnings(action="error"),
            Image.open(BytesIO(data), formats=("PNG", "JPEG")) as picture,
        ):
            if picture.width * picture.height > MAX_PIXELS:
                raise ImagingError("the picture has more than 64 million pixels")
            deep = picture.mode.startswith("I")
            grey = np.asarray(picture if deep else picture.convert("L"), np.float64) / (65535 if deep else 255)
    except ImagingError:
        raise
    except Exception as error:  # a decoder of hostile bytes has many ways to fail
        raise ImagingError(f"the picture cannot be read ({type(error).__name__})") from None
    film = np.rint(np.clip(grey, 0, 1) * dx.WHITE).astype(np.uint16)
    return dx.dataset(person, shot, dx.encode(film), comment="Wrapped picture, view assumed")


def _renamed(data: bytes, person: Person, shot: Shot) -> Dataset:
    """The DICOM file with its pixels untouched and its subject, study and numbers replaced."""
    try:
        with warnings.catch_warnings(action="ignore"):
            dataset = dcmread(BytesIO(data))
            dataset.remove_private_tags()
            dataset.walk(_forget)
    except Exception as error:  # a parser of a thousand formats has a thousand ways to fail
        raise ImagingError(f"the DICOM file cannot be read ({type(error).__name__})") from None
    if "PixelData" not in dataset or "SOPClassUID" not in dataset or "TransferSyntaxUID" not in dataset.file_meta:
        raise ImagingError("the DICOM file has no pixels, or does not say what it is")
    dx.identify(dataset, person, shot)
    dataset.SeriesInstanceUID = shot.series_uid
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(shot.instance_uid)
    dataset.Modality = dataset.get("Modality") or "OT"
    return dataset


def _forget(dataset: Dataset, element: DataElement) -> None:
    """Drop names of people, and what else tells who or where, at any depth."""
    if element.VR == "PN" or element.keyword in IDENTIFYING:
        del dataset[element.tag]


def _patient(person: Person, shot: Shot, dataset: Dataset, pacs_root: str) -> SamplePatient:
    today = shot.taken.date()
    image = resources.Image(
        shot.series_uid, shot.instance_uid, str(dataset.SOPClassUID), str(dataset.Modality), f"CHEST {shot.view}"
    )
    held = [
        resources.patient(person, STORY),
        resources.encounter(person, ("AMB", "ambulatory"), today, INTERNIST),
        resources.imaging_study(person, shot.study_uid, shot.taken.isoformat(), [image]),
    ]
    return SamplePatient(
        id=person.id,
        name=person.name,
        story=STORY,
        bundle=transaction([*resources.shared(pacs_root), *held]),
        order=resources.chest_order(person, resources.CHEST_FILM, INTERNIST, resources.instant(today, 11)),
        instances=(_written(dataset),),
        study_uid=shot.study_uid,
    )


def _written(dataset: Dataset) -> bytes:
    try:
        with warnings.catch_warnings(action="ignore"):
            return dx.written(dataset)
    except Exception as error:  # what a lenient reader let in may not be writable
        raise ImagingError(f"the DICOM file cannot be written again ({type(error).__name__})") from None
