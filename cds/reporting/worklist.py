"""The radiologists' queue (FHIR R4, "Task"): those of :mod:`cds.reporting.tasks`, the time-critical first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from statistics import median
from typing import Any

from cds.audit.balp import Event
from cds.audit.journal import Journal
from cds.errors import PreconditionFailed, Unknown
from cds.reporting import codes
from cds.store import resources
from cds.store.database import Connection, Database
from cds.store.search import find
from cds.store.search.find import AnyOf, Query
from cds.store.search.terms import term

MOST = 500
"""Tasks that are looked at; of more, the longest waiting."""
PRIORITIES = ("stat", "asap", "urgent", "routine")

Said = Callable[[str, str], Event]
"""The audit event of a step: of the patient, on ``Task/{id}``."""


class State(StrEnum):
    """A Task's status, as far as the queue uses them."""

    UNREAD = "requested"
    CLAIMED = "accepted"
    DONE = "completed"


OPEN = (State.UNREAD, State.CLAIMED)


class Step(StrEnum):
    """What a radiologist does with an item."""

    CLAIM = "claim"
    RELEASE = "release"
    FINISH = "done"


@dataclass(frozen=True, slots=True)
class Item:
    """One Task of the queue."""

    id: str
    version: int
    prescreen: str
    patient: str
    """``Patient/{id}`` on the EHR's FHIR server."""
    finding: str
    """The worst finding, in words."""
    priority: str
    state: State
    owner: str
    """``Practitioner/{id}`` on the EHR's FHIR server; empty while nobody has claimed it."""
    since: datetime
    changed: datetime

    @property
    def time_critical(self) -> bool:
        return self.priority == "stat"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long what is unread has been waiting, in minutes."""

    count: int
    median: float
    longest: float

    @classmethod
    def of(cls, items: Iterable[Item], now: datetime) -> Waiting:
        minutes = [(now - item.since).total_seconds() / 60 for item in items if item.state is State.UNREAD]
        return cls(len(minutes), median(minutes), max(minutes)) if minutes else cls(0, 0.0, 0.0)


class Worklist:
    """Reads the queue of an EHR, and moves its items."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._journal = Journal(database)

    def items(self, tenant: str, fhir_server: str, states: tuple[State, ...]) -> list[Item]:
        """Unread before claimed, time-critical before urgent, and the longest waiting first.

        Of those that are done the last comes first.
        """
        with self._database.transaction(tenant) as connection:
            hits = find.find(connection, tenant, _of_states(states), MOST)
            tasks = resources.get_many(connection, tenant, "Task", [hit.id for hit in hits])
        items = [_item(task, fhir_server) for task in tasks.values() if _is_of(task, fhir_server)]
        return sorted(items, key=_turn)

    def move(
        self, tenant: str, fhir_server: str, id: str, version: int, step: Step, user: str, said: Said
    ) -> None:
        """Claim, release or finish an item on behalf of ``user``, ``Practitioner/{id}``; the same twice is once.

        Raises :class:`~cds.errors.Unknown` where there is no such item, and
        :class:`~cds.errors.PreconditionFailed` where it is not the one that was shown any more.
        """

        def write(connection: Connection) -> Iterable[Event]:
            task = resources.get(connection, tenant, "Task", id)
            if task is None or not _is_of(task, fhir_server):
                raise Unknown("there is no such item in the queue")
            item = _item(task, fhir_server)
            if (item.state, item.owner) == _after(step, user):
                return []
            if item.version != version or not _allowed(item, step, user):
                raise PreconditionFailed("somebody else has taken the item up meanwhile")
            moved = _moved(task, step, f"{fhir_server}/{user}")
            resources.put(
                connection, tenant, moved, patient=item.patient, fhir_server=fhir_server, if_match=version
            )
            return [said(item.patient, f"Task/{id}")]

        self._journal.write(tenant, write)


def _of_states(states: tuple[State, ...]) -> Query:
    by_status = AnyOf(tuple(term("Task", "status", state.value) for state in states))
    review = AnyOf((term("Task", "code", codes.REVIEW["code"]),))
    done = State.DONE in states
    return Query("Task", words=(by_status, review), sort="last_updated" if done else "date", descending=done)


def _is_of(task: Mapping[str, Any], fhir_server: str) -> bool:
    return bool(task["for"]["reference"].startswith(f"{fhir_server}/Patient/")) and task["status"] in tuple(State)


def _item(task: Mapping[str, Any], fhir_server: str) -> Item:
    return Item(
        id=task["id"],
        version=int(task["meta"]["versionId"]),
        prescreen=task["identifier"][0]["value"].partition("/")[0],
        patient=task["for"]["reference"].removeprefix(f"{fhir_server}/"),
        finding=task["reasonCode"]["text"],
        priority=task["priority"],
        state=State(task["status"]),
        owner=task.get("owner", {}).get("reference", "").removeprefix(f"{fhir_server}/"),
        since=datetime.fromisoformat(task["authoredOn"]),
        changed=datetime.fromisoformat(task["lastModified"]),
    )


def _turn(item: Item) -> tuple[int, int, float]:
    since = item.since.timestamp() if item.state in OPEN else -item.changed.timestamp()
    return list(State).index(item.state), PRIORITIES.index(item.priority), since


def _after(step: Step, user: str) -> tuple[State, str]:
    return {
        Step.CLAIM: (State.CLAIMED, user),
        Step.RELEASE: (State.UNREAD, ""),
        Step.FINISH: (State.DONE, user),
    }[step]


def _allowed(item: Item, step: Step, user: str) -> bool:
    """What nobody has may be claimed; what one has, one may release or finish."""
    if step is Step.CLAIM:
        return item.state is State.UNREAD
    return item.state is State.CLAIMED and item.owner == user


def _moved(task: Mapping[str, Any], step: Step, owner: str) -> dict[str, Any]:
    state, holder = _after(step, owner)
    moved = {name: value for name, value in task.items() if name != "owner"} | {
        "meta": {"profile": task["meta"].get("profile", [])},
        "status": state.value,
        "lastModified": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    return {**moved, "owner": {"reference": holder}} if holder else moved
