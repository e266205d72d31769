"""The queue: a Task that asks a radiologist to look at what a model found (FHIR R4, "Task")."""

from __future__ import annotations

import uuid
from typing import Any

from cds.findings import SNOMED_CT, Level, Prescreen
from cds.reporting import codes
from cds.reporting.resources import device_id, report_id

Resource = dict[str, Any]


def review_id(prescreen: Prescreen) -> str:
    """The id of the Task that :func:`review` makes, if any."""
    return str(uuid.uuid5(uuid.UUID(prescreen.id), "Task"))


def review(prescreen: Prescreen) -> Resource | None:
    """The Task for a prescreen with a finding of high probability; at once where one is time-critical."""
    high = [finding for finding in prescreen.findings if finding.level is Level.HIGH]
    if not high or prescreen.issued is None:
        return None
    issued = prescreen.issued.isoformat(timespec="milliseconds")
    reason = high[0].type
    return {
        "resourceType": "Task",
        "id": review_id(prescreen),
        "meta": {"profile": [codes.PROFILES + "review-task"]},
        "identifier": [{"system": codes.PRESCREEN_IDENTIFIER, "value": f"{prescreen.id}/review"}],
        "status": "requested",
        "intent": "proposal",
        "priority": "stat" if any(finding.type.time_critical for finding in high) else "urgent",
        "code": {"coding": [codes.REVIEW]},
        "focus": {"reference": f"DiagnosticReport/{report_id(prescreen)}"},
        "for": {"reference": prescreen.patient},
        "authoredOn": issued,
        "lastModified": issued,
        "requester": {"reference": f"Device/{device_id(prescreen.models[-1])}"},
        "reasonCode": codes.concept(SNOMED_CT, reason.snomed, reason.display),
    }
