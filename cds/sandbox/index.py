"""What of a resource goes into the search index: one row per value (FHIR R4, "Search", the parameter types)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cds.sandbox.parameters import Parameter, elements, parameters

EVER, NEVER = "9999-12-31T23:59:59.999999", "0000-01-01T00:00:00.000000"

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Word:
    """A token, a reference or a string as the index keeps it."""

    name: str
    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Span:
    """A date or period as the index keeps it: UTC, from ``low`` up to but without ``high``."""

    name: str
    low: str
    high: str


def rows(resource: dict[str, Any]) -> Iterator[Word | Span]:
    """All index rows of a resource."""
    for name, parameter in parameters(resource["resourceType"]).items():
        for path in parameter.paths:
            for element in elements(resource, path):
                yield from _rows(name, parameter, element)


def _rows(name: str, parameter: Parameter, element: Any) -> Iterator[Word | Span]:
    if parameter.kind == "date":
        if span := period(element):
            yield Span(name, *span)
    elif parameter.kind == "reference":
        if target := _target(element, parameter.targets):
            yield Word(name, "", target)
    elif parameter.kind == "token":
        for system, value in _codes(element):
            yield Word(name, system, value)
    elif isinstance(element, str):
        yield Word(name, "", element.casefold())


def _codes(element: Any) -> Iterator[tuple[str, str]]:
    """System and value of a code, a boolean, a Coding, a CodeableConcept or an Identifier."""
    if isinstance(element, bool):
        yield "", str(element).lower()
    elif isinstance(element, str):
        yield "", element
    elif isinstance(element, dict):
        value = element.get("code") or element.get("value")
        if isinstance(value, str):
            yield str(element.get("system", "")), value
        for coding in elements(element, "coding"):
            yield from _codes(coding)


def _target(element: Any, targets: tuple[str, ...]) -> str:
    """``Type/id`` of a Reference or URL, its version left off; an absolute URL stays as it is."""
    url = element.get("reference") if isinstance(element, dict) else element
    if not isinstance(url, str):
        return ""
    url = url.split("/_history/")[0]
    fits = not targets or url.split("/")[0] in targets or not _RELATIVE.fullmatch(url)
    return url if fits else ""


def period(element: Any) -> tuple[str, str] | None:
    """The span of a date, dateTime, instant or Period; None where it is no date."""
    if isinstance(element, str):
        return span(element)
    if not isinstance(element, dict) or not element.keys() & {"start", "end"}:
        return None
    start, end = span(str(element.get("start", ""))), span(str(element.get("end", "")))
    return (start[0] if start else NEVER, end[1] if end else EVER)


def span(text: str) -> tuple[str, str] | None:
    """The whole time that a date of any precision stands for; without a zone it is read as UTC."""
    parts = _DATE.fullmatch(text)
    if not parts:
        return None
    year, month, day, hour, minute, second, fraction, zone = parts.groups()
    try:
        low = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), tzinfo=UTC)
        low += timedelta(seconds=float((second or "0") + (fraction or ""))) - _offset(zone)
        return _text(low), _text(low + _length(low, parts))
    except (ValueError, OverflowError):
        return None


def _offset(zone: str | None) -> timedelta:
    if zone in (None, "Z"):
        return timedelta()
    hours, minutes = zone[1:].split(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if zone[0] == "-" else offset


def _length(low: datetime, parts: re.Match[str]) -> timedelta:
    """How long the last part that was given lasts."""
    _, month, day, hour, _, second, fraction, _ = parts.groups()
    if not month:
        return low.replace(year=low.year + 1) - low
    if not day:
        return (low + timedelta(days=32)).replace(day=1) - low
    if not hour:
        return timedelta(days=1)
    if not second:
        return timedelta(minutes=1)
    return timedelta(milliseconds=1) if fraction else timedelta(seconds=1)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
