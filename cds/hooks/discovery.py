"""Discovery (CDS Hooks 2.0, "Discovery"): the services that we offer and what they like to be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cds.ehr.prefetch import TEMPLATES

_USAGE_REQUIREMENTS = (
    "Read access to Patient, ImagingStudy, Endpoint, DocumentReference, Composition, DiagnosticReport and Binary "
    "by prefetch or by fhirAuthorization, and to Practitioner, Organization and RelatedPerson, whose names are "
    "taken out of the notes; a DICOMweb root that is registered with this service."
)


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the discovery document."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str = _USAGE_REQUIREMENTS
    hook_version: str = "1.0"
    prefetch: Mapping[str, str] = field(default_factory=lambda: TEMPLATES)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "hook": self.hook,
            "hookVersion": self.hook_version,
            "version": "2.0.1",
            "title": self.title,
            "description": self.description,
            "usageRequirements": self.usage_requirements,
            "prefetch": dict(self.prefetch),
        }


_NATURE = "Preliminary, for information, never a diagnosis."

IMAGING_PRESCREEN = Service(
    id="imaging-prescreen",
    hook="order-sign",
    title="Imaging prescreen",
    description=(
        "Looks at the patient's latest chest imaging and clinical notes when an order is signed, and says what "
        f"demonstration models find in them; names orders that seem to repeat recent imaging. {_NATURE}"
    ),
)

IMAGING_ORDER_SELECT = Service(
    id="imaging-order-select",
    hook="order-select",
    title="Imaging prescreen of selected orders",
    description=(
        "Says what imaging-prescreen would say at signing as soon as an order is selected, about the selected "
        f"orders alone. {_NATURE}"
    ),
)

IMAGING_PATIENT_VIEW = Service(
    id="imaging-patient-view",
    hook="patient-view",
    title="Outstanding imaging findings",
    description=(
        "Names the findings of high probability on the patient's latest chest imaging and clinical notes when "
        f"the chart is opened, and looks at what is new ahead of an order. {_NATURE}"
    ),
)

IMAGING_ENCOUNTER_START = Service(
    id="imaging-encounter-start",
    hook="encounter-start",
    title="Critical imaging findings",
    description=(
        "Looks at the patient's latest chest imaging and clinical notes ahead of an order when an encounter "
        f"starts; speaks only of a time-critical finding that is known already. {_NATURE}"
    ),
)

SERVICES: Mapping[str, Service] = {
    service.id: service
    for service in (IMAGING_PRESCREEN, IMAGING_ORDER_SELECT, IMAGING_PATIENT_VIEW, IMAGING_ENCOUNTER_START)
}
