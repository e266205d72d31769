"""Invented people: telephone numbers in 555-01xx, e-mail addresses under example.org, SSNs never issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class Person:
    """Who a patient is to an EHR and to a PACS."""

    id: str
    given: str
    family: str
    sex: Literal["F", "M", "O"]
    born: date
    mrn: str
    phone: str
    street: str
    city: str
    state: str
    postcode: str
    email: str = ""

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    @property
    def address(self) -> str:
        return f"{self.street}, {self.city}, {self.state} {self.postcode}"

    def age(self, on: date) -> int:
        """In completed years."""
        return on.year - self.born.year - ((on.month, on.day) < (self.born.month, self.born.day))


@dataclass(frozen=True, slots=True)
class Clinician:
    """Someone who writes notes, signs orders or reads films."""

    id: str
    given: str
    family: str
    title: str
    npi: str
    role: tuple[str, str]
    """SNOMED CT code and display."""

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}, {self.title}"


EMERGENCY = Clinician(
    "voss-hartley", "Eleanor", "Voss-Hartley", "MD", "1999999919", ("309294001", "Emergency department physician")
)
INTERNIST = Clinician(
    "adeyemi-kask", "Samir", "Adeyemi-Kask", "MD", "1999999927", ("59058001", "General physician")
)
RADIOLOGIST = Clinician("oduya-lind", "Maren", "Oduya-Lind", "MD", "1999999935", ("66862007", "Radiologist"))
NURSE = Clinician("solberg", "Kit", "Solberg", "RN", "1999999943", ("224535009", "Registered nurse"))
CLINICIANS = (EMERGENCY, INTERNIST, RADIOLOGIST, NURSE)

HOSPITAL = "Lakemere General Hospital"
