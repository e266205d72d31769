"""Feedback (CDS Hooks 2.0, "Feedback"): what became of our cards. Free text of it may hold patient data."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from cds.ehr.datatypes import string
from cds.errors import RequestError

Outcome = Literal["accepted", "overridden"]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
MAX_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class Feedback:
    """What became of one card."""

    card: str
    outcome: Outcome
    timestamp: datetime
    body: dict[str, Any]


def parse(raw: bytes) -> Sequence[Feedback]:
    """Raise :class:`RequestError` naming the first entry that is not as the specification asks."""
    try:
        entries = orjson.loads(raw)["feedback"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise RequestError("the body must be a JSON object with feedback") from None
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise RequestError(f"feedback must be a list of at most {MAX_ENTRIES} entries")
    return [_entry(entry, f"feedback[{index}]") for index, entry in enumerate(entries)]


def _entry(entry: Any, where: str) -> Feedback:
    if not isinstance(entry, dict):
        raise RequestError(f"{where} must be a JSON object")
    outcome = entry.get("outcome")
    if outcome not in ("accepted", "overridden"):
        raise RequestError(f"{where}.outcome must be accepted or overridden")
    if outcome == "accepted":
        _check_suggestions(entry.get("acceptedSuggestions"), where)
    _check_override(entry.get("overrideReason"), where)
    return Feedback(_card(entry.get("card"), where), outcome, _timestamp(entry, where), entry)


def _card(value: Any, where: str) -> str:
    try:
        return str(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        raise RequestError(f"{where}.card must be the uuid of a card") from None


def _timestamp(entry: dict[str, Any], where: str) -> datetime:
    value = entry.get("outcomeTimestamp")
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            # In UTC, where the first and the last hours of all years do not exist.
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise RequestError(f"{where}.outcomeTimestamp must be an RFC 3339 time")


def _check_suggestions(value: Any, where: str) -> None:
    listed = isinstance(value, list) and value
    if not listed or not all(isinstance(s, dict) and isinstance(s.get("id"), str) for s in value):
        raise RequestError(f"{where}.acceptedSuggestions must name the suggestions that were accepted")


def _check_override(value: Any, where: str) -> None:
    """Invariant cds-fb: an override reason has a reason, which is a Coding, a comment, or both."""
    if value is None:
        return
    if not isinstance(value, dict) or not (value.get("reason") or value.get("userComment")):
        raise RequestError(f"{where}.overrideReason needs a reason or a userComment")
    reason, comment = value.get("reason"), value.get("userComment")
    if reason is not None and not (isinstance(reason, dict) and string(reason, "code")):
        raise RequestError(f"{where}.overrideReason.reason must be a Coding with a code")
    if comment is not None and not isinstance(comment, str):
        raise RequestError(f"{where}.overrideReason.userComment must be text")
