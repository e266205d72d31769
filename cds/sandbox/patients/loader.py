"""Put sample patients into the sandbox's EHR and PACS."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from cds.sandbox.archive import DicomArchive
from cds.sandbox.pacs import OwnPacs, Pacs
from cds.sandbox.patients.build import sample_patients
from cds.sandbox.patients.films import Films
from cds.sandbox.patients.sample import SamplePatient
from cds.sandbox.records import Records


def prepare(home: Path, pacs_root: str, now: date) -> list[SamplePatient]:
    """The sample patients; their films are drawn once (some ten seconds) and kept under ``home/films``."""
    return sample_patients(pacs_root, now, Films(home / "films"))


def load(patients: Iterable[SamplePatient], records: Records, pacs: Pacs, archive: DicomArchive) -> int:
    """Set faults, store images, then resources; the number of patients that were new or had changed.

    Images go first, so that a study which the EHR lists can be had, and one already listed need not be sent again.
    Faults work in the sandbox's own ``archive`` only; a real PACS is not given the images of a patient whose study
    must fail. Raises what ``pacs`` and ``records`` raise.
    """
    changed = 0
    for patient in patients:
        if patient.study_uid:
            archive.fault(patient.study_uid, patient.fault)
        if _is_held(patient, records):
            continue
        if patient.fault is None or isinstance(pacs, OwnPacs):
            pacs.store(patient.instances)
        records.transaction(patient.bundle)
        changed += 1
    return changed


def _is_held(patient: SamplePatient, records: Records) -> bool:
    """Whether every resource is in ``records`` as it is here."""
    resources = (entry["resource"] for entry in patient.bundle["entry"])
    return all(_plain(records.find(one["resourceType"], one["id"])) == _plain(one) for one in resources)


def _plain(resource: dict[str, object] | None) -> dict[str, object]:
    return {name: value for name, value in (resource or {}).items() if name != "meta"}
