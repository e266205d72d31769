"""Invented patients for the sandbox: FHIR resources, notes with realistic PHI, and synthetic radiographs."""

from cds.sandbox.patients.build import sample_patients
from cds.sandbox.patients.films import Films
from cds.sandbox.patients.sample import SamplePatient

__all__ = ["Films", "SamplePatient", "sample_patients"]
