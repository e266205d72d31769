"""Code systems, profiles and identifiers that our resources speak with."""

from __future__ import annotations

from typing import Any

CANONICAL = "https://sightline.example/fhir"
"""The base of our own identifiers and code systems."""

PRESCREEN_IDENTIFIER = f"{CANONICAL}/identifier/prescreen"
MODEL_IDENTIFIER = f"{CANONICAL}/identifier/model-digest"

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"

AIAST = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""AI Transparency on FHIR: the label of every resource and element that an algorithm asserts."""

INLINE_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "code": "PROCESSINLINELABEL",
    "display": "process inline security label",
}
"""Says on ``meta.security`` that single elements carry labels of their own (DS4P)."""

INLINE_LABEL_EXTENSION = (
    "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
)

ARTIFICIAL_INTELLIGENCE = {
    "coding": [
        {
            "system": "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS",
            "code": "Artificial-Intelligence",
            "display": "Artificial Intelligence",
        }
    ]
}


def concept(system: str, code: str, display: str) -> dict[str, Any]:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}
