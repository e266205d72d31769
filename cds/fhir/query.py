"""A search as its parameters ask for it (FHIR R4, "Search"), made into a query over the index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from cds.errors import RequestError
from cds.fhir.access import Access
from cds.store.search.dates import span
from cds.store.search.find import PREFIXES, AnyOf, Place, Query, When
from cds.store.search.parameters import OF_PATIENTS, Parameter, parameters
from cds.store.search.terms import LONGEST_PREFIX, patient_term, term

DEFAULT_COUNT, MAX_COUNT = 50, 200
MAX_PARAMETERS, MAX_VALUES = 50, 100

SUMMARIES = ("true", "false", "text", "data", "count")

INCLUDES = {
    "DiagnosticReport:result": ("Observation",),
    "Provenance:agent": ("Device",),
    "Provenance:target": ("DiagnosticReport", "Observation"),
    "Task:focus": ("DiagnosticReport",),
}
"""Parameters that lead to resources of ours, and to which types."""

_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64}")
_DATED = re.compile(r"([a-z]{2})?(.+)")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for, and how it shall be answered."""

    query: Query
    count: int = DEFAULT_COUNT
    total: bool = False
    summary: str = "false"
    elements: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    revincludes: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    """The references in ``patient``: whom the audit trail names."""
    applied: tuple[Pair, ...] = ()
    ignored: tuple[str, ...] = field(default=())

    def beginning_at(self, place: Place | None) -> Search:
        """The same search after a place."""
        return replace(self, query=replace(self.query, after=place)) if place else self

    @property
    def counts_only(self) -> bool:
        return self.summary == "count" or self.count == 0


def parse(type: str, pairs: Iterable[Pair], access: Access, base: str, *, strict: bool) -> Search:
    """Raises :class:`RequestError` for what cannot be understood; with ``strict`` also for what is not known here.

    ``base`` is our own address: references to it are the same as relative ones.
    """
    given = tuple(pairs)
    if len(given) > MAX_PARAMETERS:
        raise RequestError(f"a search has at most {MAX_PARAMETERS} parameters")
    search = Search(Query(type, patients=access.compartments(type, "search"), descending=True))
    reader = _Reader(type, access, base)
    for name, value in given:
        if name in ("_format", "_pretty"):
            continue
        read = reader.reading(name)
        changed = read(search, name, value) if read else None
        if changed is None:
            if strict:
                raise RequestError(f"{type} cannot be searched with {_shown(name)} here")
            search = replace(search, ignored=(*search.ignored, _shown(name)))
        else:
            search = replace(changed, applied=(*search.applied, (name, value)))
    return search


class _Reader:
    """Reads one parameter after another of a search of one type."""

    def __init__(self, type: str, access: Access, base: str) -> None:
        self._type = type
        self._access = access
        self._base = base
        self._known = parameters(type)

    def reading(self, name: str) -> Callable[[Search, str, str], Search | None] | None:
        """What reads the parameter; None for one that is not known. It answers None to a value that is not."""
        bare = name.partition(":")[0]
        if bare in _CONTROLS:
            return _CONTROLS[bare]
        if bare == "_sort":
            return self._sort
        if bare == "patient" and self._type in OF_PATIENTS:
            return self._patient
        if bare == "_id":
            return self._id
        if bare in self._known:
            return self._date if self._known[bare].kind == "date" else self._words
        return None

    def _sort(self, search: Search, name: str, value: str) -> Search | None:
        by = value.removeprefix("-")
        parameter = self._known.get(by)
        if parameter is None or parameter.kind != "date" or parameter.column == "issued":
            return None
        query = replace(search.query, sort=parameter.column, descending=value.startswith("-"))
        return replace(search, query=query)

    def _id(self, search: Search, name: str, value: str) -> Search:
        _no_modifier(name)
        return replace(search, query=replace(search.query, ids=tuple(_values(name, value))))

    def _patient(self, search: Search, name: str, value: str) -> Search:
        _no_modifier(name, "Patient")
        references = tuple(self._patient_reference(one) for one in _values(name, value))
        terms = tuple(word for reference in references for word in self._patient_terms(reference))
        query = replace(search.query, patients=(*search.query.patients, terms))
        return replace(search, query=query, patients=(*search.patients, *references))

    def _patient_reference(self, value: str) -> str:
        """``1``, ``Patient/1`` or an absolute URL."""
        if _ID.fullmatch(value):
            return f"Patient/{value}"
        if not value.rpartition("Patient/")[2] or "Patient/" not in value:
            raise RequestError("patient must be the id of a patient, Patient/id, or its URL")
        return value

    def _patient_terms(self, reference: str) -> tuple[int, ...]:
        if _RELATIVE.fullmatch(reference):
            return self._access.known_as(self._type, reference)
        if self._type != "AuditEvent":
            return (patient_term(reference),)
        server, _, id = reference.rpartition("/Patient/")
        if server not in self._access.registration.fhir_servers:
            raise RequestError("the patient's URL is on no FHIR server of this EHR")
        return self._access.known_as(self._type, f"Patient/{id}")

    def _words(self, search: Search, name: str, value: str) -> Search:
        bare, _, modifier = name.partition(":")
        parameter = self._known[bare]
        spelled = [word for one in _values(name, value) for word in self._spellings(parameter, modifier, one)]
        common = parameter.common & {word.rpartition("|")[2] for word in spelled}
        words = AnyOf(
            terms=tuple(term(self._type, bare, word) for word in spelled),
            negated=modifier == "not",
            selective=parameter.selective and not common and not any(word.endswith("|") for word in spelled),
        )
        # The narrowest way in comes first: what has few values, before what names a party to everything.
        last = bare in ("agent", "type", "subtype", "subject")
        held = search.query.words
        return replace(search, query=replace(search.query, words=(*held, words) if last else (words, *held)))

    def _spellings(self, parameter: Parameter, modifier: str, value: str) -> tuple[str, ...]:
        if parameter.kind == "token" and modifier in ("", "not"):
            return (value,)
        if parameter.kind == "string" and modifier in ("", "exact"):
            return (f"exact {value}" if modifier else value.casefold()[:LONGEST_PREFIX],)
        if parameter.kind == "uri" and not modifier:
            return (value,)
        if parameter.kind == "reference":
            if modifier == "identifier":
                return (f"identifier {value}",)
            if not modifier or modifier in parameter.targets:
                return self._references((modifier,) if modifier else parameter.targets, value)
        raise RequestError(f"the modifier {_shown(modifier)} is not supported here")

    def _references(self, targets: tuple[str, ...], value: str) -> tuple[str, ...]:
        """The ways in which our resources may spell it: relative where it is ours, else with the EHR's base."""
        value = value.removeprefix(f"{self._base}/")
        servers = self._access.registration.fhir_servers
        if not _ID.fullmatch(value) and not _RELATIVE.fullmatch(value):
            below = (value.removeprefix(f"{server}/") for server in servers if value.startswith(f"{server}/"))
            return (value, *below) if self._type == "AuditEvent" else (value,)
        relative = [value] if "/" in value else [f"{target}/{value}" for target in targets]
        return (*relative, *(f"{server}/{one}" for server in servers for one in relative))

    def _date(self, search: Search, name: str, value: str) -> Search:
        _no_modifier(name)
        column = self._known[name].column
        alternatives = []
        for one in _values(name, value):
            parts = _DATED.fullmatch(one)
            asked = span(parts[2]) if parts and (parts[1] or "eq") in PREFIXES else None
            if not parts or not asked:
                raise RequestError(f"{name} must be a date such as ge2026-05 or 2026-05-01T12:00:00Z")
            alternatives.append(When(column, parts[1] or "eq", *asked))
        return replace(search, query=replace(search.query, dates=(*search.query.dates, tuple(alternatives))))


def _count(search: Search, name: str, value: str) -> Search:
    if not value.isdecimal() or len(value) > 9:
        raise RequestError("_count must be a whole number")
    return replace(search, count=min(int(value), MAX_COUNT))


def _total(search: Search, name: str, value: str) -> Search | None:
    return replace(search, total=value != "none") if value in ("none", "estimate", "accurate") else None


def _summary(search: Search, name: str, value: str) -> Search | None:
    return replace(search, summary=value) if value in SUMMARIES else None


def _elements(search: Search, name: str, value: str) -> Search:
    return replace(search, elements=(*search.elements, *_values(name, value)))


def _include(search: Search, name: str, value: str) -> Search | None:
    known = name == "_include" and value in INCLUDES and value.startswith(f"{search.query.type}:")
    return replace(search, includes=(*search.includes, value)) if known else None


def _revinclude(search: Search, name: str, value: str) -> Search | None:
    known = name == "_revinclude" and search.query.type in INCLUDES.get(value, ())
    return replace(search, revincludes=(*search.revincludes, value)) if known else None


_CONTROLS: dict[str, Callable[[Search, str, str], Search | None]] = {
    "_count": _count,
    "_total": _total,
    "_summary": _summary,
    "_elements": _elements,
    "_include": _include,
    "_revinclude": _revinclude,
}


def _values(name: str, value: str) -> list[str]:
    """What a comma separates (FHIR R4 §3.1.1.4.16: ``\\,`` is a comma)."""
    values = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\),", value)]
    if not all(values) or len(values) > MAX_VALUES or "\0" in value:
        raise RequestError(f"{_shown(name)} needs a value, has more than {MAX_VALUES}, or one that is no text")
    return values


def _no_modifier(name: str, allowed: str = "") -> None:
    modifier = name.partition(":")[2]
    if modifier not in ("", allowed):
        raise RequestError(f"the modifier {_shown(modifier)} is not supported here")


def _shown(name: str) -> str:
    """A parameter's name as an answer may repeat it: its value may name a patient, and a name is anything."""
    return repr(name) if re.fullmatch(r"[A-Za-z0-9_.:\-]{1,64}", name) else "a parameter that is no name"
