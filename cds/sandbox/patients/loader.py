"""Put sample patients into the sandbox's EHR and PACS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cds.sandbox.archive import DicomArchive
from cds.sandbox.pacs import OwnPacs, Pacs
from cds.sandbox.patients.sample import Resource, SamplePatient
from cds.sandbox.records import Records


def load(patients: Iterable[SamplePatient], records: Records, pacs: Pacs, archive: DicomArchive) -> int:
    """Store images, then resources and the draft order; the number of patients that were new or had changed.

    Images go first, so that a study which the EHR lists can be had, and one already listed need not be sent again.
    Only the sandbox's own ``archive`` can be made to fail: a real PACS is not given the images of a study that
    must. Raises what ``pacs`` and ``records`` raise.
    """
    changed = 0
    for patient in patients:
        if patient.study_uid:
            archive.fault(patient.study_uid, patient.fault)
        if not _is_held(patient, records):
            if patient.fault is None or isinstance(pacs, OwnPacs):
                pacs.store(patient.instances)
            records.transaction(patient.bundle)
            changed += 1
        _lay_out(patient.order, records)
    return changed


def _is_held(patient: SamplePatient, records: Records) -> bool:
    """Whether every resource is in ``records`` as it is here."""
    resources = (entry["resource"] for entry in patient.bundle["entry"])
    return all(_plain(records.find(one["resourceType"], one["id"])) == _plain(one) for one in resources)


def _lay_out(order: Resource, records: Records) -> None:
    """Keep the draft for the clinician to sign, unless it has been signed."""
    held = records.find("ServiceRequest", order["id"])
    if held is None or (held["status"] == "draft" and _plain(held) != _plain(order)):
        records.update(order)


def _plain(resource: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (resource or {}).items() if name != "meta"}
