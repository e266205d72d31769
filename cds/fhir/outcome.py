"""OperationOutcome: the one shape of every error here (FHIR R4 §2.36), in sentences free of patient data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Resource = dict[str, Any]


def outcome(severity: str, code: str, *diagnostics: str) -> Resource:
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": text} for text in diagnostics],
    }


def warnings(ignored: Iterable[str]) -> Resource:
    """What of a search was passed over (FHIR R4 §3.1.1.6, handling=lenient)."""
    return outcome("warning", "not-supported", *(f"passed over: {what}" for what in ignored))
