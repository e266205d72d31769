"""Who saw what about whom and when: the trail as an auditor looks through it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import unquote_plus

from joserfc.jwk import KeySet

from cds.audit import chain, checkpoint, events
from cds.audit.verify import verify
from cds.errors import IntegrityError
from cds.store.database import Connection, Database
from cds.store.search import find
from cds.store.search.find import AnyOf, Place, Query, When
from cds.store.search.subject import patient_of
from cds.store.search.terms import patient_term, term

PAGE = 100
PATIENT_ROLE = "1"
"""http://terminology.hl7.org/CodeSystem/object-role"""
MOST = 10_000
"""Events that are given out at once; an export of the whole is ``cds audit export``."""
KINDS = {
    "read": "read",
    "search-type": "searched",
    "create": "created",
    "update": "changed",
    "attest": "signed",
    "operation": "operation",
    "ITI-71": "signed in",
}
"""In words, by the code of ``AuditEvent.subtype``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is empty is not asked about."""

    patient: str = ""
    """The bare id."""
    user: str = ""
    """The user's ``sub`` at the EHR."""
    since: date | None = None
    until: date | None = None
    """The last day, which counts (UTC)."""
    kind: str = ""
    failed: bool = False
    """Only what was refused or went wrong."""

    def query(self) -> Query:
        patients = ((patient_term(f"Patient/{self.patient}"),),) if self.patient else ()
        return Query("AuditEvent", patients=patients, words=tuple(self._words()), dates=tuple(self._dates()))

    def _words(self) -> Iterator[AnyOf]:
        if self.kind:
            yield AnyOf((term("AuditEvent", "subtype", self.kind),), selective=True)
        if self.user:
            yield AnyOf((term("AuditEvent", "agent", f"identifier {self.user}"),), selective=True)
        if self.failed:
            yield AnyOf((term("AuditEvent", "outcome", "0"),), negated=True)

    def _dates(self) -> Iterator[tuple[When, ...]]:
        if self.since:
            yield (When("last_updated", "ge", *_day(self.since)),)
        if self.until:
            yield (When("last_updated", "le", *_day(self.until)),)


@dataclass(frozen=True, slots=True)
class Line:
    """One event in a line: identifiers and references only, as the trail itself."""

    id: str
    recorded: str
    user: str
    client: str
    kind: str
    patient: str
    what: tuple[str, ...]
    outcome: str
    reason: str

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Line:
        agents = event["agent"]
        subtypes = [coding["code"] for coding in event.get("subtype", ())]
        patient = patient_of(event) or ""
        return cls(
            id=event["id"],
            recorded=event["recorded"],
            user=next((_name(agent) for agent in agents if agent.get("requestor")), ""),
            client=_name(agents[0]),
            kind=KINDS.get(subtypes[-1], subtypes[-1]) if subtypes else "",
            patient=patient,
            what=tuple(filter(None, map(_what, event.get("entity", ())))),
            outcome=event["outcome"],
            reason=event.get("outcomeDesc", ""),
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """How the tenant's chain stands, as far as it was checked now: from the last checkpoint on."""

    events: int
    checked_from: int
    broken: str = ""


class AuditTrails:
    """Reads the audit trails of tenants."""

    def __init__(self, database: Database, keys: KeySet) -> None:
        self._database = database
        self._keys = keys

    def lines(self, tenant: str, wanted: Wanted) -> tuple[list[Line], bool]:
        """The latest that are looked for, and whether there are more."""
        with self._database.transaction(tenant) as connection:
            found, after = page(connection, tenant, wanted)
        return [Line.of(event) for event in found], after is not None

    def events(self, tenant: str, wanted: Wanted) -> list[dict[str, Any]]:
        with self._database.transaction(tenant) as connection:
            return list(every(connection, tenant, wanted))

    def chain(self, tenant: str) -> Chain:
        with self._database.transaction(tenant) as connection:
            length = chain.length(connection, tenant)
            try:
                trust = checkpoint.trusted(connection, tenant, self._keys, since_last=True)
                found = verify(connection, tenant, trust)
            except IntegrityError as broken:
                return Chain(length, 0, str(broken))
        return Chain(length, trust.start.seq, str(found.broken or ""))


def page(
    connection: Connection, tenant: str, wanted: Wanted, after: Place | None = None, limit: int = PAGE
) -> tuple[list[dict[str, Any]], Place | None]:
    """The latest events that are looked for, and where the next page begins, if there is one."""
    query = wanted.query()
    if after:
        query = Query(query.type, None, query.patients, query.words, query.dates, after=after)
    hits = find.find(connection, tenant, query, limit + 1)
    found = events.get_many(connection, tenant, [hit.id for hit in hits[:limit]])
    return [found[hit.id] for hit in hits[:limit]], hits[limit - 1].place if len(hits) > limit else None


def every(connection: Connection, tenant: str, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Up to :data:`MOST` of them, page by page, the latest first."""
    after = None
    for _ in range(MOST // PAGE):
        found, after = page(connection, tenant, wanted, after)
        yield from found
        if after is None:
            return


def _day(day: date) -> tuple[datetime, datetime]:
    midnight = datetime.combine(day, time(), UTC)
    return midnight, midnight + timedelta(days=1)


def _what(entity: Mapping[str, Any]) -> str:
    """A resource, a job or a search, legibly; not the patient, who has a column, nor what only correlates."""
    what, role = entity.get("what", {}), entity.get("role", {}).get("code")
    if role in (None, PATIENT_ROLE):
        return ""
    if query := entity.get("query"):
        return unquote_plus(base64.b64decode(query).decode(errors="replace"))
    name: str = what.get("reference") or what.get("identifier", {}).get("value", "")
    return name


def _name(agent: Mapping[str, Any]) -> str:
    value: str = agent.get("who", {}).get("identifier", {}).get("value", "")
    return value
