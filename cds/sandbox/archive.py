"""The PACS's archive: each DICOM instance a file, byte for byte as it came, and an index beside them in SQLite."""

from __future__ import annotations

import re
import secrets
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from cds.errors import ImagingError, SightlineError
from cds.sandbox.database import Database

UID = re.compile(r"(?=.{1,64}$)[0-9]+(?:\.[0-9]+)*")

_MAX_INLINE_BYTES = 1024
"""Longer binary values are left out of the metadata; they are in the instance itself."""

_ONE_AT_A_TIME = threading.Lock()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS instance (
    key INTEGER PRIMARY KEY, study TEXT NOT NULL, series TEXT NOT NULL, instance TEXT NOT NULL UNIQUE,
    patient TEXT NOT NULL, sop_class TEXT NOT NULL, transfer_syntax TEXT NOT NULL, metadata BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS instance_of ON instance (study, series);
CREATE INDEX IF NOT EXISTS instance_of_patient ON instance (patient);
CREATE TABLE IF NOT EXISTS fault (study TEXT PRIMARY KEY, status INTEGER NOT NULL) WITHOUT ROWID;
"""
_COLUMNS = "study, series, instance, patient, sop_class, transfer_syntax, metadata"


@dataclass(frozen=True, slots=True)
class Instance:
    """One stored instance, as the index knows it."""

    study: str
    series: str
    instance: str
    patient: str
    """Patient ID (0010,0020)."""
    sop_class: str
    transfer_syntax: str
    metadata: Mapping[str, Any]
    """DICOM JSON (PS3.18 Annex F) without pixels and other bulk data."""


class DicomArchive:
    """All instances under ``home/dicom``. What was stored is there after a kill -9."""

    def __init__(self, home: Path) -> None:
        self._root = home / "dicom"
        self._database = Database(self._root / "index.sqlite", _SCHEMA)

    def store(self, data: bytes) -> Instance:
        """Keep one DICOM Part 10 file; stored again under its SOP Instance UID, it takes the older one's place.

        Raises :class:`ImagingError` where the bytes are no DICOM file, or lack an identifier.
        """
        instance = identify(data)
        self.keep(instance, data)
        return instance

    def keep(self, instance: Instance, data: bytes) -> None:
        """Keep a file that :func:`identify` has read."""
        path = self.path(instance)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{secrets.token_hex(8)}")
        draft.write_bytes(data)
        draft.replace(path)
        self._index(instance)

    def path(self, instance: Instance) -> Path:
        """Where the instance's bytes are."""
        return self._root / instance.study / instance.series / f"{instance.instance}.dcm"

    def dataset(self, instance: Instance) -> Dataset:
        """The whole instance, pixels included; :class:`ImagingError` where it cannot be read."""
        with quietly("the DICOM file cannot be read"):
            return dcmread(self.path(instance))

    def find(
        self,
        *,
        study: str | None = None,
        series: str | None = None,
        instance: str | None = None,
        patient: str | None = None,
    ) -> list[Instance]:
        """The instances with all these identifiers, in the order of arrival."""
        given = {"study": study, "series": series, "instance": instance, "patient": patient}
        asked = {name: value for name, value in given.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in asked) or "1"
        sql = f"SELECT {_COLUMNS} FROM instance WHERE {where} ORDER BY key"  # noqa: S608
        return [_from_row(row) for row in self._database.connection.execute(sql, asked)]

    def fault(self, study_uid: str, status: int | None) -> None:
        """Have every request for this study answered with an HTTP ``status``; None makes it well again."""
        with self._database.atomically() as connection:
            connection.execute("DELETE FROM fault WHERE study = ?", (study_uid,))
            if status is not None:
                connection.execute("INSERT INTO fault VALUES (?, ?)", (study_uid, status))

    def fault_of(self, study_uid: str) -> int | None:
        """The status that :meth:`fault` set, if any."""
        row = self._database.connection.execute(
            "SELECT status FROM fault WHERE study = ?", (study_uid,)
        ).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    def _index(self, instance: Instance) -> None:
        row = (
            *(instance.study, instance.series, instance.instance, instance.patient),
            *(instance.sop_class, instance.transfer_syntax, orjson.dumps(instance.metadata)),
        )
        sql = f"INSERT OR REPLACE INTO instance ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        self._database.connection.execute(sql, row)


def identify(data: bytes) -> Instance:
    """What a DICOM Part 10 file is and says; :class:`ImagingError` where it is none, or lacks an identifier."""
    with quietly("the DICOM file cannot be read"):
        return _instance(dcmread(BytesIO(data), stop_before_pixels=True))


@contextmanager
def quietly(complaint: str) -> Iterator[None]:
    """Use pydicom without its warnings, and with :class:`ImagingError` for all that it raises.

    It warns of each oddity, and an archive keeps what it is given. One thread at a time: the filter is global.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except InvalidDicomError:
            raise ImagingError("the bytes are not a DICOM Part 10 file") from None
        except SightlineError:
            raise
        except Exception as error:  # a reader of a thousand formats has a thousand ways to fail
            raise ImagingError(f"{complaint} ({type(error).__name__})") from None


def _instance(dataset: Dataset) -> Instance:
    study, series, instance = (
        str(dataset.get(name, "")) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    if not all(UID.fullmatch(uid) for uid in (study, series, instance)):
        raise ImagingError("the DICOM file lacks a valid study, series or SOP instance UID")
    metadata = dataset.to_json_dict(
        bulk_data_threshold=_MAX_INLINE_BYTES,
        bulk_data_element_handler=lambda element: "",
        suppress_invalid_tags=True,
    )
    return Instance(
        study=study,
        series=series,
        instance=instance,
        patient=str(dataset.get("PatientID", "")),
        sop_class=str(dataset.get("SOPClassUID", "")),
        transfer_syntax=str(dataset.file_meta.get("TransferSyntaxUID", "")),
        metadata=_without_bulk(metadata),
    )


def _without_bulk(item: dict[str, Any]) -> dict[str, Any]:
    """A data set in DICOM JSON without the elements that were too long for it, in sequences as well."""
    kept = {tag: element for tag, element in item.items() if "BulkDataURI" not in element}
    for element in kept.values():
        if element["vr"] == "SQ":
            element["Value"] = [_without_bulk(one) for one in element.get("Value", [])]
    return kept


def _from_row(row: tuple[Any, ...]) -> Instance:
    study, series, instance, patient, sop_class, transfer_syntax, metadata = row
    return Instance(study, series, instance, patient, sop_class, transfer_syntax, orjson.loads(metadata))
