"""Code systems, profiles and identifiers that our resources speak with."""

from __future__ import annotations

from typing import Any

from cds import findings

CANONICAL = findings.CANONICAL
PRESCREEN_IDENTIFIER = findings.PRESCREEN_IDENTIFIER
PROFILES = f"{CANONICAL}/StructureDefinition/"
"""Where our profiles are (``fhir_profiles/``)."""

MODEL_IDENTIFIER = f"{CANONICAL}/identifier/model-digest"

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"

AIAST = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": findings.AI_ASSERTED,
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
            "display": "All kinds of Artificial Intelligence",
        }
    ]
}


AI_TRANSPARENCY = "http://hl7.org/fhir/uv/aitransparency"
CONFIDENCE_EXTENSION = f"{AI_TRANSPARENCY}/StructureDefinition/AIconfidence"
MODEL_CARD = {
    "system": f"{AI_TRANSPARENCY}/CodeSystem/AIinputsCS",
    "code": "AIModelCard",
    "display": "AI Model-Card",
}
MARKDOWN_CARD = {
    "system": f"{AI_TRANSPARENCY}/CodeSystem/AIinputsCS",
    "code": "AIModelCardMarkdownFormat",
    "display": "Markdown Format",
}
REVIEW = {
    "system": f"{CANONICAL}/CodeSystem/task-code",
    "code": "review-ai-result",
    "display": "Review the result of a model",
}
"""What a radiologist is asked to do."""


def concept(system: str, code: str, display: str) -> dict[str, Any]:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


IMAGING = concept("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging")
"""The category of an Observation that is about an image."""
