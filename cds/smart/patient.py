"""The patient banner: who this is about, so that nobody reads it as another's (FHIR R4, patient.html)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Self

from cds.ehr.datatypes import Resource, codes, element, elements, parse_datetime, string

NAME_USES = ("official", "usual")
"""Which of several names is shown, the better first."""


@dataclass(frozen=True, slots=True)
class PatientBanner:
    """Name, birth date with age, administrative sex, medical record number; empty where not on record."""

    name: str
    born: str
    sex: str
    mrn: str

    @classmethod
    def from_fhir(cls, patient: Resource, today: date) -> Self:
        return cls(
            name=_name(patient),
            born=_born(string(patient, "birthDate"), today),
            sex=string(patient, "gender"),
            mrn=_mrn(patient),
        )


def _name(patient: Resource) -> str:
    names = elements(patient, "name")
    by_use = {string(name, "use"): name for name in reversed(names)}
    chosen = next((by_use[use] for use in NAME_USES if use in by_use), names[0] if names else {})
    given = chosen.get("given")
    parts = [part for part in given if isinstance(part, str)] if isinstance(given, list) else []
    return " ".join(filter(None, (*parts, string(chosen, "family")))) or string(chosen, "text")


def _born(birth_date: str, today: date) -> str:
    """``1961-03-04 (65 y)``; the age only where the whole date is known."""
    moment = parse_datetime(birth_date) if len(birth_date) == 10 else None
    if moment is None:
        return birth_date
    born = moment.date()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return f"{birth_date} ({years} y)"


def _mrn(patient: Resource) -> str:
    """The identifier of type ``MR``, else the first one."""
    identifiers = elements(patient, "identifier")
    records = [i for i in identifiers if "MR" in codes(element(i, "type"))]
    return next((string(identifier, "value") for identifier in (*records, *identifiers)), "")
