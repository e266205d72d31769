"""Invented patients for the sandbox: FHIR resources, notes with realistic PHI, and synthetic radiographs."""

from cds.sandbox.patients.build import sample_patients
from cds.sandbox.patients.bundles import load_bundle
from cds.sandbox.patients.films import Films
from cds.sandbox.patients.sample import SamplePatient
from cds.sandbox.patients.wrap import wrap_images

__all__ = ["Films", "SamplePatient", "load_bundle", "sample_patients", "wrap_images"]
