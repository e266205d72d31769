"""A search as its URL asks for it, made into criteria (FHIR R4, "Search")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from cds.errors import RequestError
from cds.sandbox.index import span
from cds.sandbox.parameters import Parameter, parameters

DEFAULT_COUNT, MAX_COUNT = 50, 500
_MAX_VALUES = 200

_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.+)")
_DATE_TESTS = {
    "eq": "low >= :low AND high <= :high",
    "ne": "NOT (low >= :low AND high <= :high)",
    "gt": "high > :high",
    "lt": "low < :low",
    "ge": "high > :low",
    "le": "low < :high",
    "sa": "low >= :high",
    "eb": "high <= :low",
    "ap": "low < :high AND high > :low",
}


@dataclass(frozen=True, slots=True)
class Match:
    """One parameter: the resource has an index row for ``name`` that passes any of ``tests``."""

    name: str
    table: str
    tests: tuple[tuple[str, dict[str, str]], ...]
    """SQL over the index row, and its bound values."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one type: all of ``matches`` hold."""

    resource_type: str
    matches: tuple[Match, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    """Parameter names, each with whether it descends."""
    count: int = DEFAULT_COUNT
    offset: int = 0
    include: frozenset[str] = frozenset()
    applied: tuple[tuple[str, str], ...] = field(default=())
    """The parameters that were understood: the ``self`` link."""


def parse(
    resource_type: str, pairs: str | Iterable[tuple[str, str]], *, strict: bool = False, base: str = ""
) -> Query:
    """The query that ``pairs`` (or a query string) asks for.

    An unknown parameter is passed over, or with ``strict`` refused; a wrong value or modifier is always refused.
    References to ``base``, this server's own address, are read as relative. Raises :class:`RequestError`.
    """
    if isinstance(pairs, str):
        pairs = parse_qsl(pairs, keep_blank_values=True)
    matches: list[Match] = []
    sort: tuple[tuple[str, bool], ...] = ()
    numbers = {"_count": DEFAULT_COUNT, "_offset": 0}
    include: set[str] = set()
    applied: list[tuple[str, str]] = []
    known = parameters(resource_type)
    for key, value in pairs:
        name, _, modifier = key.partition(":")
        if name in numbers:
            numbers[name] = _number(name, value)
        elif name == "_sort":
            sort = _sort(value, known)
        elif name == "_include":
            include.add(_included(value))
        elif name in known:
            matches.append(_match(name, modifier, value, known[name], base))
        elif name in ("_format", "_pretty"):
            continue
        elif strict:
            raise RequestError(f"{resource_type} cannot be searched by {name!r} here")
        else:
            continue
        if name not in numbers:
            applied.append((key, value))
    return Query(
        resource_type,
        tuple(matches),
        sort,
        min(numbers["_count"], MAX_COUNT),
        numbers["_offset"],
        frozenset(include),
        tuple(applied),
    )


def _number(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise RequestError(f"{name} must be a whole number")
    return int(value)


def _sort(value: str, known: dict[str, Parameter]) -> tuple[tuple[str, bool], ...]:
    keys = tuple((part.removeprefix("-"), part.startswith("-")) for part in value.split(","))
    if unknown := [name for name, _ in keys if name not in known]:
        raise RequestError(f"_sort does not know {unknown[0]!r}")
    return keys


def _included(value: str) -> str:
    if value != "ImagingStudy:endpoint":
        raise RequestError("_include knows only ImagingStudy:endpoint")
    return value.partition(":")[2]


def _match(name: str, modifier: str, value: str, parameter: Parameter, base: str) -> Match:
    values = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\),", value)]
    if not all(values) or len(values) > _MAX_VALUES:
        raise RequestError(f"{name} needs a value, or has more than {_MAX_VALUES}")
    targets = parameter.targets
    if parameter.kind == "reference" and modifier[:1].isupper():
        targets, modifier = (modifier,), ""
    if modifier:
        raise RequestError(f"the modifier :{modifier} is not supported on {name}")
    if parameter.kind == "date":
        return Match(name, "span", tuple(_date_test(name, one) for one in values))
    if parameter.kind == "reference":
        return Match(name, "word", tuple(_reference_test(one, targets, base) for one in values))
    test = _token_test if parameter.kind == "token" else _string_test
    return Match(name, "word", tuple(test(one) for one in values))


def _token_test(value: str) -> tuple[str, dict[str, str]]:
    """``code``, ``system|code``, ``|code`` (no system) or ``system|`` (any code of it)."""
    system, bar, code = value.rpartition("|")
    if not bar:
        return "value = :value", {"value": code}
    if not code:
        return "system = :system", {"system": system}
    return "value = :value AND system = :system", {"value": code, "system": system}


def _string_test(value: str) -> tuple[str, dict[str, str]]:
    low = value.casefold()
    return "value >= :low AND value < :high", {"low": low, "high": low + "\U0010ffff"}


def _reference_test(value: str, targets: tuple[str, ...], base: str) -> tuple[str, dict[str, str]]:
    url = value.removeprefix(f"{base}/") if base else value
    if "/" in url:
        return "value = :value", {"value": url}
    if targets:
        return "value = :value", {"value": f"{targets[0]}/{url}"}
    return "value LIKE :ending ESCAPE '\\'", {"ending": "%/" + re.sub(r"([\\%_])", r"\\\1", url)}


def _date_test(name: str, value: str) -> tuple[str, dict[str, str]]:
    parts = _PREFIXED.fullmatch(value)
    asked = parts and span(parts[2])
    if not parts or not asked:
        raise RequestError(f"{name} must be a date such as ge2024-05 or 2024-05-01T12:00:00Z")
    return _DATE_TESTS[parts[1] or "eq"], {"low": asked[0], "high": asked[1]}
