"""FHIR dates as spans of time (FHIR R4, "date", "dateTime", "instant", "Period"): ``2026-05`` is a whole month."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

Span = tuple[datetime | None, datetime | None]
"""From, and up to but without; None for an open end."""

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)


def span(text: str) -> tuple[datetime, datetime] | None:
    """What ``text`` covers, in UTC where it names no zone; None for what is no date."""
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, _ = found.groups()
    try:
        zoned = datetime.fromisoformat(
            f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
            f".{(fraction or '').ljust(6, '0')[:6]}{(found[8] or '+00:00').replace('Z', '+00:00')}"
        )
        low = zoned.astimezone(UTC)
        return low, _end(low, found)
    except (ValueError, OverflowError):
        return None


def span_of(element: Any) -> Span | None:
    """What a date, dateTime, instant or Period of a resource covers."""
    if isinstance(element, str):
        return span(element)
    start, end = (span(element.get(name, "")) for name in ("start", "end"))
    return (start and start[0], end and end[1]) if start or end else None


def _end(low: datetime, found: re.Match[str]) -> datetime:
    _, month, day, hour, _, second, fraction, _ = found.groups()
    if month is None:
        return low.replace(year=low.year + 1)
    if day is None:
        return (low.replace(day=28) + timedelta(days=4)).replace(day=1)
    if hour is None:
        return low + timedelta(days=1)
    if second is None:
        return low + timedelta(minutes=1)
    if fraction is None:
        return low + timedelta(seconds=1)
    return low + timedelta(microseconds=10 ** max(6 - len(fraction), 0))
