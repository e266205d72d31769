"""The queue: what is time-critical and unread first, and nobody's claim taken from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cds.audit import balp
from cds.audit.balp import Exchange
from cds.audit.trail import OnBehalf, Trail, party
from cds.errors import PreconditionFailed, Unknown
from cds.findings import Finding, Level
from cds.reporting.record import Record, kept, reported
from cds.reporting.worklist import OPEN, Item, State, Step, Waiting, Worklist
from cds.store import resources
from cds.store.database import Database
from tests.opened import events
from tests.prescreens import PNEUMOTHORAX, prescreen

US = party("https://cds.example")
EHR = prescreen().fhir_server
ME, COLLEAGUE = "Practitioner/u1", "Practitioner/u2"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EFFUSION = Finding("effusion", 0.9, Level.HIGH, image=0.9)


@pytest.fixture
def worklist(database: Database) -> Worklist:
    return Worklist(database)


@pytest.fixture
def queue(database: Database, tenant: str, worklist: Worklist) -> list[Item]:
    """Two of each kind, an hour apart, and one of another EHR."""
    for number, (finding, server) in enumerate(
        [
            (EFFUSION, EHR),
            (EFFUSION, EHR),
            (PNEUMOTHORAX, EHR),
            (PNEUMOTHORAX, EHR),
            (EFFUSION, "https://b.example"),
        ]
    ):
        made = prescreen(
            id=f"{number}b4e28ba-2fa1-51d2-883f-0016d3cca427",
            key=str(number),
            tenant=tenant,
            patient=f"Patient/{number}",
            fhir_server=server,
            findings=(finding,),
            issued=NOON - timedelta(hours=number),
        )
        trail = Trail(US, OnBehalf())
        Record(database).write(tenant, trail, kept(made, trail), reported(made, trail))
    return worklist.items(tenant, EHR, OPEN)


def move(worklist: Worklist, tenant: str, item: Item, step: Step, user: str = ME) -> None:
    worklist.move(
        tenant,
        EHR,
        item.id,
        item.version,
        step,
        user,
        lambda patient, task: balp.patient_update(Exchange(US, US, US), patient, task),
    )


def test_time_critical_first_then_the_longest_waiting_of_this_ehr(queue: list[Item]) -> None:
    assert [item.patient for item in queue] == ["Patient/3", "Patient/2", "Patient/1", "Patient/0"]
    assert [item.time_critical for item in queue] == [True, True, False, False]


def test_a_claim_is_shown_with_who_has_it_after_what_is_unread(
    worklist: Worklist, tenant: str, queue: list[Item], database: Database
) -> None:
    move(worklist, tenant, queue[0], Step.CLAIM)
    last = worklist.items(tenant, EHR, OPEN)[-1]
    assert (last.id, last.state, last.owner) == (queue[0].id, State.CLAIMED, ME)
    with database.transaction(tenant) as connection:
        task = resources.get(connection, tenant, "Task", last.id)
        (told,) = [e for e in events(connection, tenant) if e["action"] == "U"]
    assert task is not None
    assert task["owner"] == {"reference": f"{EHR}/{ME}"}
    assert told["entity"][0]["what"]["reference"] == f"Task/{last.id}"


@pytest.mark.parametrize(
    ("step", "state", "owner"), [(Step.RELEASE, State.UNREAD, ""), (Step.FINISH, State.DONE, ME)]
)
def test_what_one_has_one_releases_or_finishes(
    step: Step, state: State, owner: str, worklist: Worklist, tenant: str, queue: list[Item]
) -> None:
    move(worklist, tenant, queue[0], Step.CLAIM)
    move(worklist, tenant, replace(queue[0], version=2), step)
    (item,) = [item for item in worklist.items(tenant, EHR, tuple(State)) if item.id == queue[0].id]
    assert (item.state, item.owner) == (state, owner)


def test_of_two_who_claim_one_has_it(worklist: Worklist, tenant: str, queue: list[Item]) -> None:
    move(worklist, tenant, queue[0], Step.CLAIM, COLLEAGUE)
    with pytest.raises(PreconditionFailed):
        move(worklist, tenant, queue[0], Step.CLAIM)


def test_the_same_claim_twice_is_one(worklist: Worklist, tenant: str, queue: list[Item]) -> None:
    move(worklist, tenant, queue[0], Step.CLAIM)
    move(worklist, tenant, queue[0], Step.CLAIM)
    assert worklist.items(tenant, EHR, OPEN)[-1].version == 2


@pytest.mark.parametrize("step", [Step.RELEASE, Step.FINISH])
def test_nobody_moves_what_a_colleague_has(step: Step, worklist: Worklist, tenant: str, queue: list[Item]) -> None:
    move(worklist, tenant, queue[0], Step.CLAIM, COLLEAGUE)
    with pytest.raises(PreconditionFailed):
        move(worklist, tenant, replace(queue[0], version=2), step)


@pytest.mark.parametrize("id", ["no-such", "../x", ""])
def test_what_is_not_in_the_queue(id: str, worklist: Worklist, tenant: str, queue: list[Item]) -> None:
    with pytest.raises(Unknown):
        move(worklist, tenant, replace(queue[0], id=id), Step.CLAIM)


def test_how_long_what_is_unread_has_waited(queue: list[Item]) -> None:
    assert Waiting.of(queue, NOON) == Waiting(4, 90.0, 180.0)
    assert Waiting.of([], NOON) == Waiting(0, 0.0, 0.0)
