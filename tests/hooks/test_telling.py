"""CDS Hooks 2.0, "Card Attributes" (uuid) and "Feedback": what is kept of a card, and what an override does."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cds.audit.trail import OnBehalf, Trail
from cds.errors import Unknown
from cds.findings import Finding, Level, Prescreen, StudySeen
from cds.hooks import cards
from cds.hooks.cards import Card, Statement, Topic
from cds.hooks.discovery import IMAGING_ENCOUNTER_START, IMAGING_PRESCREEN, Service
from cds.hooks.feedback import Feedback, Outcome
from cds.hooks.overrides import Overrides
from cds.hooks.telling import Telling
from cds.reporting.record import Record, kept
from cds.store import cards as kept_cards
from cds.store.database import Database
from tests.hooks.calling import US, call
from tests.prescreens import EFFUSION, PACS_DOWN, PNEUMOTHORAX, prescreen

HIGH_EFFUSION = Finding("effusion", 0.9, Level.HIGH, image=0.9)
UNSURE_PNEUMOTHORAX = Finding("pneumothorax", 0.5, Level.REVIEW, image=0.5)
NOW = datetime.now(UTC)


class Ward:
    """One patient's prescreens, the cards about them, and what becomes of those."""

    def __init__(self, database: Database, tenant: str) -> None:
        self.database, self.tenant = database, tenant
        self.record = Record(database)

    def prescreened(self, *findings: Finding, **changes: Any) -> Prescreen:
        id = str(uuid.uuid4())
        made = prescreen(id=id, key=id, tenant=self.tenant, findings=findings, **changes)
        trail = Trail(US, OnBehalf())
        self.record.write(made.tenant, trail, kept(made, trail))
        return made

    def told(
        self,
        seen: Prescreen,
        findings: Sequence[Finding] | None = None,
        *,
        service: Service = IMAGING_PRESCREEN,
        instance: str = "",
        window: int = 24,
        besides: Sequence[Statement] = (),
    ) -> list[Card]:
        telling = Telling(self.record, "https://cds.example", b"k" * 32, timedelta(hours=window))
        whose = {"patient": seen.patient, "base": seen.fhir_server}
        asked = call(self.tenant, service, instance=instance, user="Practitioner/grey", **whose)
        said = seen.findings if findings is None else findings
        return telling(asked, seen, said, telling.overrides(asked), besides=besides)

    def feedback(self, card: Card, outcome: Outcome, *, ago: timedelta = timedelta()) -> None:
        entry = Feedback(card["uuid"], outcome, NOW - ago, {"card": card["uuid"], "outcome": outcome})
        self.record.feedback(self.tenant, IMAGING_PRESCREEN.id, [entry], Trail(US, OnBehalf()))

    def feed_back(self, *cards: str) -> None:
        """All of them overridden, in one request."""
        entries = [Feedback(card, "overridden", NOW, {"card": card, "outcome": "overridden"}) for card in cards]
        self.record.feedback(self.tenant, IMAGING_PRESCREEN.id, entries, Trail(US, OnBehalf()))

    def kept(self, card: Card) -> dict[str, Any]:
        with self.database.transaction(self.tenant) as connection:
            kept = kept_cards.get(connection, self.tenant, uuid.UUID(card["uuid"]))
        assert kept is not None
        return kept

    def count(self) -> int:
        with self.database.transaction(self.tenant) as connection:
            found = connection.execute("SELECT count(*) FROM card").fetchone()
        assert found is not None
        return int(found[0])


@pytest.fixture
def ward(database: Database, tenant: str) -> Ward:
    return Ward(database, tenant)


def topics(given: Sequence[Card]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in given]


class TestFeedback:
    """CDS Hooks 2.0, "Feedback": one request tells of several cards."""

    def test_of_a_card_that_is_not_ours_costs_no_other(self, ward: Ward) -> None:
        seen = ward.prescreened(PNEUMOTHORAX)
        (card,) = ward.told(seen)
        ward.feed_back(str(uuid.uuid4()), card["uuid"])
        assert ward.told(seen) == []

    def test_of_nothing_but_such_is_refused(self, ward: Ward) -> None:
        with pytest.raises(Unknown):
            ward.feed_back(str(uuid.uuid4()), str(uuid.uuid4()))


class TestUuids:
    """A card's uuid names it in feedback: the same question asked again must not make another card."""

    def test_the_same_hook_instance_gets_the_same_and_is_kept_once(self, ward: Ward) -> None:
        seen, instance = ward.prescreened(PNEUMOTHORAX), str(uuid.uuid4())
        first, second = (ward.told(seen, instance=instance) for _ in range(2))
        assert [card["uuid"] for card in first] == [card["uuid"] for card in second]
        assert ward.count() == 1

    def test_another_call_service_patient_or_result_gets_another(self, ward: Ward) -> None:
        seen, instance = ward.prescreened(PNEUMOTHORAX), str(uuid.uuid4())
        given = [
            *ward.told(seen, instance=instance),
            *ward.told(seen),
            *ward.told(seen, instance=instance, service=IMAGING_ENCOUNTER_START),
            *ward.told(ward.prescreened(PNEUMOTHORAX, patient="Patient/p2"), instance=instance),
            *ward.told(ward.prescreened(PNEUMOTHORAX), instance=instance),
        ]
        assert len({card["uuid"] for card in given}) == 5

    def test_a_suggestions_uuid_is_as_steady(self, ward: Ward) -> None:
        seen, instance = ward.prescreened(PNEUMOTHORAX), str(uuid.uuid4())
        duplicate = cards.Statement(
            about="x",
            topic=Topic("t", "T"),
            says={"x": "info"},
            card=cards.with_suggestions(
                {"summary": "x", "indicator": "info"}, [{"label": "One"}, {"label": "Two"}]
            ),
        )
        once, again = (
            [s["uuid"] for s in ward.told(seen, (), instance=instance, besides=[duplicate])[0]["suggestions"]]
            for _ in range(2)
        )
        assert once == again
        assert len(set(once)) == 2


def test_what_is_kept_links_the_card_to_finding_model_and_clinician_and_holds_no_order(ward: Ward) -> None:
    (card,) = ward.told(ward.prescreened(PNEUMOTHORAX, EFFUSION))
    kept = ward.kept(card)
    assert kept["says"] == {"pneumothorax": "high", "effusion": "review"}
    assert kept["clinician"] == "https://ehr.example/fhir/Practitioner/grey"
    assert kept["models"] == ["chest-radiograph 1.0.0 (aaaaaaaa)", "clinical-note 1.0.0 (bbbbbbbb)"]
    assert set(kept) == {"summary", "indicator", "suggestions", "says", "study", "models", "clinician", "topic"}


class TestOverride:
    """ "Feedback": a card that was overridden for this patient and finding is not repeated."""

    @pytest.fixture
    def overridden(self, ward: Ward) -> Callable[..., Prescreen]:
        """A prescreen whose card was overridden."""

        def override(*findings: Finding, ago: timedelta = timedelta(), **changes: Any) -> Prescreen:
            seen = ward.prescreened(*findings, **changes)
            (card,) = ward.told(seen)
            ward.feedback(card, "overridden", ago=ago)
            return seen

        return override

    @pytest.mark.parametrize("service", [IMAGING_PRESCREEN, IMAGING_ENCOUNTER_START])
    def test_holds_for_the_same_result_in_every_service(
        self, service: Service, ward: Ward, overridden: Callable[..., Prescreen]
    ) -> None:
        seen = overridden(PNEUMOTHORAX, EFFUSION)
        assert ward.told(seen, service=service) == []

    def test_holds_for_another_look_with_the_same_level(
        self, ward: Ward, overridden: Callable[..., Prescreen]
    ) -> None:
        overridden(PNEUMOTHORAX)
        assert ward.told(ward.prescreened(PNEUMOTHORAX, study=other_study())) == []

    def test_of_the_worst_finding_leaves_what_is_new(
        self, ward: Ward, overridden: Callable[..., Prescreen]
    ) -> None:
        overridden(PNEUMOTHORAX)
        (card,) = ward.told(ward.prescreened(PNEUMOTHORAX, HIGH_EFFUSION))
        assert topics([card]) == ["effusion"]
        assert "Pneumothorax" not in card["detail"]

    def test_ends_with_the_window(self, ward: Ward, overridden: Callable[..., Prescreen]) -> None:
        seen = overridden(PNEUMOTHORAX, ago=timedelta(hours=25))
        assert topics(ward.told(seen)) == ["pneumothorax"]
        assert ward.told(seen, window=48) == []

    def test_without_a_window_is_none(self, ward: Ward, overridden: Callable[..., Prescreen]) -> None:
        assert len(ward.told(overridden(PNEUMOTHORAX), window=0)) == 1

    def test_told_of_tomorrow_counts_from_today(self, ward: Ward, overridden: Callable[..., Prescreen]) -> None:
        """An EHR's clock that is years ahead must not silence us for years."""
        seen = overridden(PNEUMOTHORAX, ago=timedelta(days=-3650))
        assert ward.told(seen) == []
        with ward.database.transaction(ward.tenant) as connection:
            later = datetime.now(UTC) + timedelta(seconds=1)
            held = kept_cards.outcomes_of_patient(connection, ward.tenant, seen.fhir_server, seen.patient, later)
        assert held == []

    @pytest.mark.parametrize(
        ("before", "now", "changes", "said"),
        [
            (UNSURE_PNEUMOTHORAX, PNEUMOTHORAX, {}, True),
            (PNEUMOTHORAX, UNSURE_PNEUMOTHORAX, {}, False),
            (PNEUMOTHORAX, UNSURE_PNEUMOTHORAX, {"study": None, "missing": (PACS_DOWN,)}, False),
            (PNEUMOTHORAX, UNSURE_PNEUMOTHORAX, {"study": "another"}, True),
            (PNEUMOTHORAX, PNEUMOTHORAX, {"study": "another"}, False),
        ],
        ids=["higher", "lower, same image", "lower, no image", "lower, another image", "same, another image"],
    )
    def test_ends_when_the_result_changes(
        self,
        before: Finding,
        now: Finding,
        changes: dict[str, Any],
        said: bool,
        ward: Ward,
        overridden: Callable[..., Prescreen],
    ) -> None:
        overridden(before)
        if changes.get("study") == "another":
            changes = {"study": other_study()}
        assert bool(ward.told(ward.prescreened(now, **changes))) == said

    @pytest.mark.parametrize(
        ("last", "said"), [("accepted", True), ("overridden", False)], ids=["accepted", "overridden"]
    )
    def test_the_newest_outcome_counts_in_whatever_order_they_come(
        self, last: Outcome, said: bool, ward: Ward
    ) -> None:
        """ "Feedback": the outcome of one card may be told several times."""
        first: Outcome = "overridden" if last == "accepted" else "accepted"
        seen = ward.prescreened(PNEUMOTHORAX)
        (card,) = ward.told(seen)
        ward.feedback(card, last, ago=timedelta(minutes=1))
        ward.feedback(card, first, ago=timedelta(minutes=9))
        assert bool(ward.told(seen)) == said

    def test_of_an_earlier_card_ends_with_what_is_accepted_on_a_later(
        self, ward: Ward, overridden: Callable[..., Prescreen]
    ) -> None:
        overridden(UNSURE_PNEUMOTHORAX, ago=timedelta(minutes=9))
        seen = ward.prescreened(PNEUMOTHORAX)
        (card,) = ward.told(seen)
        ward.feedback(card, "accepted", ago=timedelta(minutes=1))
        assert topics(ward.told(seen)) == ["pneumothorax"]

    @pytest.mark.parametrize("changes", [{"patient": "Patient/p2"}, {"fhir_server": "https://other.example/fhir"}])
    def test_is_of_one_patient_of_one_ehr(
        self, changes: dict[str, Any], ward: Ward, overridden: Callable[..., Prescreen]
    ) -> None:
        overridden(PNEUMOTHORAX)
        assert len(ward.told(ward.prescreened(PNEUMOTHORAX, **changes))) == 1

    def test_is_of_one_tenant(self, ward: Ward, overridden: Callable[..., Prescreen]) -> None:
        overridden(PNEUMOTHORAX)
        other = Ward(ward.database, f"{ward.tenant}-other")
        assert len(other.told(other.prescreened(PNEUMOTHORAX))) == 1

    def test_holds_for_what_is_no_finding_as_well(self, ward: Ward) -> None:
        seen = ward.prescreened(missing=(PACS_DOWN,))
        (card,) = ward.told(seen, (), besides=[cards.of_nothing_seen(seen)])
        ward.feedback(card, "overridden")
        assert ward.told(seen, (), besides=[cards.of_nothing_seen(seen)]) == []

    def test_of_a_card_that_does_not_tell_what_it_said_silences_nothing(self) -> None:
        """It was kept by a version before this one."""
        assert not Overrides.of([("overridden", {"summary": "x"})]).hold_for(PNEUMOTHORAX, prescreen())


def other_study() -> StudySeen:
    study = prescreen().study
    assert study is not None
    return replace(study, study_uid="1.2.4")
