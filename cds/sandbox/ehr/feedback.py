"""CDS Hooks 2.0, "Feedback": what became of a card, as an entry of the feedback request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

Outcome = Literal["accepted", "overridden"]
Json = dict[str, Any]


def accepted(card: str, suggestions: Sequence[str]) -> Json:
    """A feedback entry: these suggestions of the card were taken up."""
    return {**_entry(card, "accepted"), "acceptedSuggestions": [{"id": id} for id in suggestions]}


def overridden(card: str, *, reason: Mapping[str, Any] | None = None, comment: str = "") -> Json:
    """A feedback entry: the clinician went on otherwise, and may have said why."""
    entry = _entry(card, "overridden")
    said: Json = {}
    if reason:
        said["reason"] = {name: reason[name] for name in ("code", "system") if name in reason}
    if comment:
        said["userComment"] = comment
    return {**entry, "overrideReason": said} if said else entry


def _entry(card: str, outcome: Outcome) -> Json:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"card": card, "outcome": outcome, "outcomeTimestamp": now}
