"""OperationOutcome: how a FHIR server says what went wrong (FHIR R4, "OperationOutcome")."""

from __future__ import annotations

from typing import Any

from cds.errors import RequestError


def outcome(severity: str, code: str, diagnostics: str) -> dict[str, Any]:
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def of_error(error: RequestError) -> dict[str, Any]:
    return outcome("error", error.code, str(error))
