"""OperationOutcome: the one shape of every refusal, in sentences free of patient data.

FHIR R4 §2.36; CDS Hooks, "HTTP Status Codes".
"""

from __future__ import annotations

from typing import Any

_CODES = {404: "not-found", 405: "not-supported", 406: "not-supported", 413: "too-long", 415: "not-supported"}


def outcome(severity: str, code: str, *diagnostics: str) -> dict[str, Any]:
    """One issue for each of ``diagnostics``, all of one severity and issue type."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": text} for text in diagnostics],
    }


def issue_type(status: int) -> str:
    """The issue type of what is refused with this HTTP status."""
    return _CODES.get(status, "invalid")
