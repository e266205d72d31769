"""The queue: Tasks that ask a radiologist to look at what a model found (FHIR R4, "Task")."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from cds.findings import SNOMED_CT, Finding, Level, Prescreen
from cds.reporting import codes
from cds.reporting.resources import device_id, report_id

Resource = dict[str, Any]


def review_id(prescreen: Prescreen) -> str:
    """The id of the Task that :func:`review` makes, if any."""
    return str(uuid.uuid5(uuid.UUID(prescreen.id), "Task"))


def review(prescreen: Prescreen) -> Resource | None:
    """The Task for a prescreen with a finding to look at; at once where one is HIGH and time-critical."""
    asked = [finding for finding in prescreen.findings if _is_to_be_looked_at(prescreen, finding)]
    if not asked or prescreen.issued is None:
        return None
    return _requested(prescreen, review_id(prescreen), "review", prescreen.issued, asked[0])


def _is_to_be_looked_at(prescreen: Prescreen, finding: Finding) -> bool:
    """What is HIGH; on a film in doubt, where nothing is, also what is uncertain."""
    in_doubt = bool(prescreen.study and prescreen.study.quality)
    return finding.level is Level.HIGH or (in_doubt and finding.level is Level.REVIEW)


def second_look(prescreen: Prescreen, reason: str) -> Resource:
    """The Task for a report that was withdrawn: somebody may have acted on it."""
    id = str(uuid.uuid5(uuid.UUID(prescreen.id), "Task/withdrawal"))
    task = _requested(prescreen, id, "withdrawal", datetime.now(UTC), prescreen.findings[0])
    return {**task, "description": f"The report was withdrawn: {reason}"}


def _requested(prescreen: Prescreen, id: str, name: str, authored: datetime, worst: Finding) -> Resource:
    high = [finding for finding in prescreen.findings if finding.level is Level.HIGH]
    at = authored.isoformat(timespec="milliseconds")
    return {
        "resourceType": "Task",
        "id": id,
        "meta": {"profile": [codes.PROFILES + "review-task"]},
        "identifier": [{"system": codes.PRESCREEN_IDENTIFIER, "value": f"{prescreen.id}/{name}"}],
        "status": "requested",
        "intent": "proposal",
        "priority": "stat" if any(finding.type.time_critical for finding in high) else "urgent",
        "code": {"coding": [codes.REVIEW]},
        "focus": {"reference": f"DiagnosticReport/{report_id(prescreen)}"},
        "for": {"reference": prescreen.patient},
        "authoredOn": at,
        "lastModified": at,
        "requester": {"reference": f"Device/{device_id(prescreen.models[-1])}"},
        "reasonCode": codes.concept(SNOMED_CT, worst.type.snomed, worst.type.display),
    }
