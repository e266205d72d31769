"""Which further test a finding calls for, as a draft order that the clinician may take up.

Made by hand from published guidance, each with its reason; a finding that is not in the table calls for none. That
a radiograph's finding should be followed up at all is the clinician's decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cds.ehr.imaging_procedure import CT, ULTRASOUND, Procedure
from cds.findings import SNOMED_CT, Finding, Level
from cds.hooks.context import Context
from cds.reporting.codes import LOINC, concept

Coding = dict[str, str]
Json = dict[str, Any]

_CHEST = frozenset({"chest"})
_CT_OF_CHEST = {"system": SNOMED_CT, "code": "169069000", "display": "Computed tomography of chest"}
_CT_WITHOUT_CONTRAST = ({"system": LOINC, "code": "29252-4", "display": "CT Chest WO contrast"}, _CT_OF_CHEST)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A test, and why."""

    display: str
    procedure: Procedure
    codings: tuple[Coding, ...]
    reason: str

    def order(self, finding: Finding, patient: str, context: Context) -> Json:
        """A whole draft ServiceRequest for ``Patient/{id}``, by whoever is at work."""
        order: Json = {
            "resourceType": "ServiceRequest",
            "status": "draft",
            "intent": "order",
            "category": [concept(SNOMED_CT, "363679005", "Imaging")],
            "priority": "routine",
            "code": {"coding": [dict(coding) for coding in self.codings], "text": self.display},
            "subject": {"reference": patient},
            "reasonCode": [concept(SNOMED_CT, finding.type.snomed, finding.type.display)],
        }
        if context.encounter_id:
            order["encounter"] = {"reference": f"Encounter/{context.encounter_id}"}
        if context.user.startswith("Practitioner"):
            order["requester"] = {"reference": context.user}
        return order


FOLLOW_UPS: Mapping[str, FollowUp] = {
    "mass": FollowUp(
        "CT chest with IV contrast",
        Procedure(CT, _CHEST),
        ({"system": LOINC, "code": "24628-0", "display": "CT Chest W contrast IV"}, _CT_OF_CHEST),
        "a mass on a radiograph is characterised and staged by CT with contrast (ACCP, 2013). "
        "Pregnancy, kidney function and allergies were not looked at",
    ),
    "nodule": FollowUp(
        "CT chest without contrast",
        Procedure(CT, _CHEST),
        _CT_WITHOUT_CONTRAST,
        "a nodule on a radiograph is confirmed and measured by CT (Fleischner Society, 2017). "
        "Pregnancy was not looked at",
    ),
    "fibrosis": FollowUp(
        "CT chest without contrast, high resolution",
        Procedure(CT, _CHEST),
        _CT_WITHOUT_CONTRAST,
        "fibrosis is confirmed and classified by high-resolution CT (ATS/ERS/JRS/ALAT, 2022). "
        "Pregnancy was not looked at",
    ),
    "effusion": FollowUp(
        "Ultrasound of the chest",
        Procedure(ULTRASOUND, _CHEST),
        ({"system": LOINC, "code": "24630-6", "display": "US Chest"},),
        "ultrasound confirms an effusion and guides whatever is drawn from it (BTS, 2023)",
    ),
}
"""By finding key."""


def called_for(worst: Finding, others: Iterable[Procedure]) -> FollowUp | None:
    """What ``worst`` calls for, unless ``others`` include it: what is ordered already, or was done since."""
    follow_up = FOLLOW_UPS.get(worst.key) if worst.level is Level.HIGH else None
    if follow_up is None or any(other.includes(follow_up.procedure) for other in others):
        return None
    return follow_up
