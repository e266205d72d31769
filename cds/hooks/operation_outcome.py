"""Refusals as OperationOutcome (CDS Hooks, "HTTP Status Codes"; FHIR R4 §2.36)."""

from __future__ import annotations

from typing import Any

from cds.errors import RequestError


def operation_outcome(error: RequestError) -> dict[str, Any]:
    """The one error shape of the hooks: what was wrong, in a sentence free of patient data."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": error.code, "diagnostics": str(error)}],
    }
