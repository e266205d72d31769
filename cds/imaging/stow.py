"""What a PACS says of instances that it was given: the Store Instances Response (PS3.18 10.5.3, annex I)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cds.errors import BadAnswer

ANSWERS = (200, 202, 409)
"""All were stored; some were, or with warnings; none was."""
FAILED, REASON, OTHER_FAILURES = "00081198", "00081197", "0008119A"
DUPLICATE = 0x0111
"""Duplicate SOP Instance (PS3.7 C.5.9): the PACS holds it already."""


def check(status: int, body: bytes) -> None:
    """Raise :class:`BadAnswer` where an instance was neither stored nor held before.

    Of the body nothing but the reasons of failures is looked at: its addresses are not to be called.
    """
    failures = _failures(body)
    if failures is None:
        if status == 200:
            return
        raise BadAnswer("the PACS did not say why it does not store the results")
    refused = [reason for reason in failures if reason != DUPLICATE]
    if refused or (status == 409 and not failures):
        named = ", ".join(sorted({f"{reason:#06x}" for reason in refused})) or "no reason given"
        raise BadAnswer(f"the PACS did not store the results ({named})")


def _failures(body: bytes) -> list[int] | None:
    """The reason of each failure; none for what is not the DICOM JSON of one."""
    try:
        answer = json.loads(body)
        items = [item for tag in (FAILED, OTHER_FAILURES) for item in answer.get(tag, {}).get("Value", ())]
        return [_reason(item) for item in items]
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None


def _reason(item: Mapping[str, Any]) -> int:
    return int((item.get(REASON, {}).get("Value") or [0])[0]) & 0xFFFF
