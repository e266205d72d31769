"""What the app lets the sandbox's people do beside looking at the patient in context."""

from __future__ import annotations

from cds.sandbox.patients.people import NURSE, RADIOLOGIST

ROLES = {RADIOLOGIST.id: "radiologist", NURSE.id: "auditor"}
"""By practitioner; everyone else is a clinician who orders."""
