"""What patient-view and encounter-start say of a patient who was prescreened before."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from cds.audit.trail import OnBehalf, Trail
from cds.errors import PreconditionFailed
from cds.findings import Finding, Level, Missing, Prescreen
from cds.hooks.call import Call
from cds.hooks.cards import Card
from cds.hooks.discovery import IMAGING_PATIENT_VIEW
from cds.hooks.encounter_start import EncounterStart, is_critical
from cds.hooks.feedback import Feedback
from cds.hooks.known import KnownFindings
from cds.hooks.patient_view import is_high
from cds.hooks.telling import Telling
from cds.reporting.record import Record, kept
from cds.store import cards as kept_cards
from cds.store.database import Database
from tests.hooks import calling
from tests.hooks.calling import US
from tests.prescreens import EFFUSION, MASS, PACS_DOWN, PNEUMOTHORAX, prescreen

HIGH_EFFUSION = Finding("effusion", 0.9, Level.HIGH, image=0.9)
UNCERTAIN_PNEUMOTHORAX = Finding("pneumothorax", 0.5, Level.REVIEW, image=0.5)

Recorded = Callable[..., Prescreen]


@pytest.fixture
def record(database: Database) -> Record:
    return Record(database)


@pytest.fixture
def call(tenant: str) -> Call:
    return calling.call(tenant, IMAGING_PATIENT_VIEW)


@pytest.fixture
def known(record: Record) -> KnownFindings:
    return KnownFindings(Telling(record, US.address, b"k" * 32, timedelta(hours=24)))


@pytest.fixture
def recorded(record: Record, tenant: str) -> Recorded:
    """Records a prescreen of the patient, as an earlier call would have."""

    def write(**changes: object) -> Prescreen:
        id, trail = str(uuid.uuid4()), Trail(US, OnBehalf())
        made = prescreen(id=id, key=id, tenant=tenant, **changes)
        record.write(tenant, trail, kept(made, trail))
        return made

    return write


def cards_of(known: KnownFindings, call: Call, worth_a_card: Callable[[Finding], bool]) -> list[Card]:
    return known.told(call, known.latest(call), worth_a_card)


@pytest.mark.parametrize("worth_a_card", [is_high, is_critical])
def test_of_a_stranger_nothing_is_known(
    worth_a_card: Callable[[Finding], bool], known: KnownFindings, call: Call
) -> None:
    assert cards_of(known, call, worth_a_card) == []


@pytest.mark.parametrize(
    ("finding", "at_view", "at_start"),
    [
        (PNEUMOTHORAX, ["critical"], ["critical"]),
        (HIGH_EFFUSION, ["warning"], []),
        (UNCERTAIN_PNEUMOTHORAX, [], []),
        (EFFUSION, [], []),
        (MASS, [], []),
    ],
    ids=["high and time-critical", "high", "uncertain, would be time-critical", "uncertain", "low"],
)
def test_which_findings_are_worth_a_card(
    finding: Finding,
    at_view: list[str],
    at_start: list[str],
    known: KnownFindings,
    call: Call,
    recorded: Recorded,
) -> None:
    recorded(findings=(finding,))
    assert [card["indicator"] for card in cards_of(known, call, is_high)] == at_view
    assert [card["indicator"] for card in cards_of(known, call, is_critical)] == at_start


def test_a_card_tells_of_nothing_but_what_is_outstanding(
    known: KnownFindings, call: Call, recorded: Recorded
) -> None:
    recorded(findings=(PNEUMOTHORAX, HIGH_EFFUSION, EFFUSION))
    (card,) = cards_of(known, call, is_critical)
    assert "effusion" not in card["detail"]
    assert "more" not in card["summary"]
    assert "suggestions" not in card


def test_what_a_later_look_no_longer_finds_is_not_outstanding(
    known: KnownFindings, call: Call, recorded: Recorded
) -> None:
    recorded(findings=(PNEUMOTHORAX,))
    recorded(findings=(MASS,))
    assert cards_of(known, call, is_high) == []


def test_a_later_look_without_the_image_disproves_nothing(
    known: KnownFindings, call: Call, recorded: Recorded
) -> None:
    recorded(findings=(PNEUMOTHORAX,))
    recorded(findings=(MASS,), study=None, missing=(PACS_DOWN,))
    assert len(cards_of(known, call, is_high)) == 1


def test_one_note_among_several_that_cannot_be_read_is_no_reason_to_look_further_back(
    known: KnownFindings, call: Call, recorded: Recorded
) -> None:
    recorded(findings=(PNEUMOTHORAX,))
    recorded(findings=(MASS,), missing=(Missing("note", "1 of the notes could not be read."),))
    assert cards_of(known, call, is_high) == []


def test_what_was_overridden_is_not_outstanding(
    known: KnownFindings, record: Record, call: Call, recorded: Recorded
) -> None:
    """CDS Hooks 2.0, "Feedback": the next chart opened does not say it again."""
    recorded(findings=(PNEUMOTHORAX,))
    (card,) = cards_of(known, call, is_high)
    tenant, service = call.client.tenant, call.hook.service.id
    told = Feedback(card["uuid"], "overridden", datetime.now(UTC), {})
    record.feedback(tenant, service, [told], Trail(US, OnBehalf()))
    assert cards_of(known, call, is_high) == cards_of(known, call, is_critical) == []


def test_where_no_look_saw_everything_the_latest_stands(
    known: KnownFindings, call: Call, recorded: Recorded
) -> None:
    recorded(findings=(MASS,), study=None, missing=(PACS_DOWN,))
    recorded(findings=(PNEUMOTHORAX,), study=None, missing=(PACS_DOWN,))
    assert len(cards_of(known, call, is_high)) == 1


def test_no_card_is_kept_that_nobody_was_given(
    known: KnownFindings, call: Call, recorded: Recorded, database: Database
) -> None:
    """encounter-start, whose chart cannot be opened: the call is refused."""
    recorded(findings=(PNEUMOTHORAX,))

    def away(_: Call) -> None:
        raise PreconditionFailed("the patient cannot be had")

    with pytest.raises(PreconditionFailed):
        EncounterStart(away, known)(call)  # type: ignore[arg-type]
    with database.transaction(call.client.tenant) as connection:
        assert (
            list(kept_cards.outcomes_since(connection, call.client.tenant, datetime.min.replace(tzinfo=UTC))) == []
        )
