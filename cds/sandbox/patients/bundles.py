"""A patient from a file: a FHIR R4 transaction Bundle such as Synthea's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from cds.errors import ConfigurationError
from cds.sandbox.patients import resources
from cds.sandbox.patients.people import INTERNIST
from cds.sandbox.patients.sample import Resource, SamplePatient, transaction

MAX_FILE_BYTES = 64 * 1024 * 1024
_ID = re.compile(r"[A-Za-z0-9.-]{1,50}")


@dataclass(frozen=True, slots=True)
class _Subject:
    """Who the file is about, as far as an order has to say."""

    id: str
    name: str


def load_bundle(path: Path, pacs_root: str, now: date) -> SamplePatient:
    """The one patient of a transaction Bundle, with a visit today and a draft order for a chest radiograph.

    Every entry becomes a PUT at its resource's id, so that loading the file twice changes nothing. Such a file has
    no pixels: its ImagingStudy resources lead to no PACS. Raises :class:`ConfigurationError` with what is wrong.
    """
    entries = [_entry(entry, number, path) for number, entry in enumerate(_entries(path), 1)]
    patients = [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Patient"]
    if len(patients) != 1:
        raise ConfigurationError(f"{path.name} must hold one Patient, not {len(patients)}")
    subject = _Subject(patients[0]["id"], _name(patients[0]))
    visit = resources.encounter(subject, ("AMB", "ambulatory"), now, INTERNIST)
    bundle = transaction([*resources.shared(pacs_root), visit])
    bundle["entry"] += entries
    return SamplePatient(
        id=subject.id,
        name=subject.name,
        story=f"From {path.name}",
        bundle=bundle,
        order=resources.chest_order(subject, resources.CHEST_FILM, INTERNIST, resources.instant(now, 11)),
    )


def _entries(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path.name} is larger than 64 MiB")
        bundle = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ConfigurationError(f"{path.name} is not JSON") from None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise ConfigurationError(f"{path.name} is not a FHIR Bundle")
    if bundle.get("type") != "transaction" or not isinstance(bundle.get("entry"), list):
        raise ConfigurationError(f"{path.name} is not a transaction Bundle with entries")
    return list(bundle["entry"])


def _entry(entry: Any, number: int, path: Path) -> Resource:
    """The entry as a PUT; its ``fullUrl`` stays, for others refer to it."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise ConfigurationError(f"{path.name}: entry {number} has no resource")
    if not isinstance(resource.get("id"), str) or not _ID.fullmatch(resource["id"]):
        raise ConfigurationError(f"{path.name}: the resource of entry {number} has no usable id")
    place = f"{resource['resourceType']}/{resource['id']}"
    kept = {"fullUrl": entry["fullUrl"]} if isinstance(entry.get("fullUrl"), str) else {}
    return kept | {"resource": resource, "request": {"method": "PUT", "url": place}}


def _name(patient: Resource) -> str:
    """The first name that is there, without the digits that Synthea adds; the id where there is none."""
    for name in patient.get("name") or []:
        if isinstance(name, dict):
            parts = [*(name.get("given") or []), name.get("family") or ""]
            found = re.sub(r"\d+", "", " ".join(part for part in parts if isinstance(part, str))).strip()
            if found:
                return found
    return str(patient["id"])
