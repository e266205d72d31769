"""Queries over the index. Every statement is put together from the constant pieces below; values are bound.

A search begins with the narrowest way in that it has: a selective term, else a patient, else the order of time. In
the order of the last update each of them is one walk along an index, however many resources there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from cds.store.database import Connection
from cds.store.search.terms import blind

SortColumn = Literal["last_updated", "date"]
DateColumn = Literal["last_updated", "date", "issued"]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The resource has one of these terms; ``negated``: none of them."""

    terms: tuple[int, ...]
    negated: bool = False
    selective: bool = False
    """Whether the search may begin here."""


@dataclass(frozen=True, slots=True)
class When:
    """One value of a date parameter: ``prefix`` as in FHIR R4 §3.1.1.4.4, and the span that was asked for."""

    column: DateColumn
    prefix: str
    low: datetime
    high: datetime


class Place(NamedTuple):
    """Where a page ended: the value that is sorted by, as PostgreSQL writes it, and the row's number."""

    value: str
    number: int


class Hit(NamedTuple):
    type: str
    id: str
    place: Place


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one type: all of it holds. The tuples of patients are alternatives."""

    type: str
    ids: tuple[str, ...] | None = None
    patients: tuple[tuple[int, ...], ...] = ()
    """Compartments, each of which must hold: that of the token, that of the parameter."""
    words: tuple[AnyOf, ...] = ()
    dates: tuple[tuple[When, ...], ...] = ()
    sort: SortColumn = "last_updated"
    descending: bool = True
    after: Place | None = None


_INSTANT = {
    "eq": "{0} >= %(low)s AND {0} < %(high)s",
    "ne": "({0} < %(low)s OR {0} >= %(high)s)",
    "gt": "{0} >= %(high)s",
    "lt": "{0} < %(low)s",
    "ge": "{0} >= %(low)s",
    "le": "{0} < %(high)s",
    "sa": "{0} >= %(high)s",
    "eb": "{0} < %(low)s",
    "ap": "{0} >= %(low)s AND {0} < %(high)s",
}
_SPAN = {
    "eq": "r.date_low >= %(low)s AND r.date_high <= %(high)s",
    "ne": "(r.date_low < %(low)s OR r.date_high > %(high)s)",
    "gt": "r.date_high > %(high)s",
    "lt": "r.date_low < %(low)s",
    "ge": "r.date_high > %(low)s",
    "le": "r.date_low < %(high)s",
    "sa": "r.date_low >= %(high)s",
    "eb": "r.date_high <= %(low)s",
    "ap": "r.date_low < %(high)s AND r.date_high > %(low)s",
}
PREFIXES = frozenset(_SPAN)

_SORTED = {"last_updated": "{0}.last_updated", "date": "coalesce(r.date_low, '-infinity')"}


def find(connection: Connection, tenant: str, query: Query, limit: int) -> list[Hit]:
    """Up to ``limit`` resources in the order of the query, after its place."""
    statement = _Statement(tenant, _blind(connection, query))
    rows = connection.execute(statement.page(limit), statement.bound)
    return [Hit(type, id, Place(value, number)) for type, id, value, number in rows]


def count(connection: Connection, tenant: str, query: Query) -> int:
    """How many resources fit, wherever the page begins."""
    statement = _Statement(tenant, _blind(connection, query))
    found = connection.execute(statement.count(), statement.bound).fetchone()
    assert found is not None
    return int(found[0])


def _blind(connection: Connection, query: Query) -> Query:
    """The query with its terms as they stand in the index."""
    return replace(
        query,
        patients=tuple(tuple(blind(connection, terms)) for terms in query.patients),
        words=tuple(replace(words, terms=tuple(blind(connection, words.terms))) for words in query.words),
    )


class _Statement:
    """The SQL of one query, and its bound values."""

    def __init__(self, tenant: str, query: Query) -> None:
        self._query = query
        self.bound: dict[str, Any] = {"tenant": tenant, "type": query.type}
        self._way_in = next((words for words in query.words if words.selective and not words.negated), None)
        # One term is walked in the order of time; several are gathered, and then put in order.
        self._walked = "t" if self._way_in and len(self._way_in.terms) == 1 else "r"
        self._conditions = ["r.tenant = %(tenant)s", "r.type = %(type)s"]
        self._restrict()

    def page(self, limit: int) -> str:
        query, by = self._query, _SORTED[self._query.sort].format(self._walked)
        number, order = f"{self._walked}.number", "DESC" if query.descending else "ASC"
        if query.after:
            self._conditions.append(
                f"({by}, {number}) {'<' if query.descending else '>'} (%(place)s::timestamptz, %(number)s)"
            )
            self.bound |= {"place": query.after.value, "number": query.after.number}
        self.bound["limit"] = limit
        return (
            f"SELECT r.type, r.id, ({by})::text, r.number {self._from()}"
            f" ORDER BY {by} {order}, {number} {order} LIMIT %(limit)s"
        )

    def count(self) -> str:
        return f"SELECT count(*) {self._from()}"

    def _from(self) -> str:
        where = " AND ".join(self._conditions)
        if self._walked == "t":
            source = "search_term t JOIN search_row r ON r.tenant = t.tenant AND r.number = t.number"
            return f"FROM {source} WHERE t.tenant = %(tenant)s AND t.term = %(way_in)s AND {where}"
        if self._way_in:
            where += (
                " AND r.number IN (SELECT t.number FROM search_term t"
                " WHERE t.tenant = %(tenant)s AND t.term = ANY (%(way_in)s))"
            )
        return f"FROM search_row r WHERE {where}"

    def _restrict(self) -> None:
        query = self._query
        if self._way_in:
            self.bound["way_in"] = self._way_in.terms[0] if self._walked == "t" else list(self._way_in.terms)
        if query.ids is not None:
            self._where("r.id = ANY (%(value)s)", value=list(query.ids))
        for patients in query.patients:
            if len(patients) == 1:
                self._where("r.patient = %(value)s", value=patients[0])
            else:
                self._where("r.patient = ANY (%(value)s)", value=list(patients))
        for words in query.words:
            if words is self._way_in:
                continue
            holds = "NOT r.terms && %(value)s::bigint[]" if words.negated else "r.terms && %(value)s::bigint[]"
            self._where(holds, value=list(words.terms))
        for alternatives in query.dates:
            self._conditions.append(f"({' OR '.join(map(self._when, alternatives))})")

    def _when(self, when: When) -> str:
        if when.column == "date":
            test = _SPAN[when.prefix]
        else:
            column = f"{self._walked}.last_updated" if when.column == "last_updated" else "r.issued"
            test = _INSTANT[when.prefix].format(column)
        return self._named(test, low=when.low, high=when.high)

    def _where(self, condition: str, **values: Any) -> None:
        self._conditions.append(self._named(condition, **values))

    def _named(self, condition: str, **values: Any) -> str:
        """``condition`` with each of its values bound under a name of its own."""
        for name, value in values.items():
            unique = f"{name}_{len(self.bound)}"
            condition = condition.replace(f"%({name})s", f"%({unique})s")
            self.bound[unique] = value
        return condition
