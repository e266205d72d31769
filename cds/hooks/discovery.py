"""Discovery (CDS Hooks 2.0, "Discovery"): the services that we offer and what they like to be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds.ehr.prefetch import TEMPLATES


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the discovery document."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    hook_version: str = "1.0"
    prefetch: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "hook": self.hook,
            "hookVersion": self.hook_version,
            "version": "2.0.1",
            "title": self.title,
            "description": self.description,
            "usageRequirements": self.usage_requirements,
            "prefetch": dict(self.prefetch or {}),
        }


IMAGING_PRESCREEN = Service(
    id="imaging-prescreen",
    hook="order-sign",
    title="Imaging prescreen",
    description=(
        "Looks at the patient's latest chest imaging and clinical notes when an order is signed, and says what "
        "demonstration models find in them. Preliminary, for information, never a diagnosis."
    ),
    usage_requirements=(
        "Read access to Patient, ImagingStudy, Endpoint, DocumentReference and Binary by prefetch or by "
        "fhirAuthorization; a DICOMweb root that is registered with this service."
    ),
    prefetch=TEMPLATES,
)

SERVICES: Mapping[str, Service] = {service.id: service for service in (IMAGING_PRESCREEN,)}
