"""Possible duplicates: what was imaged lately, what is ordered twice, and what is repeated on purpose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cds.findings import Finding, Level
from cds.hooks.cards import Card
from cds.hooks.duplicates import possible_duplicates, studies
from tests.hooks.calling import BLOOD, KNEE, named, order, study
from tests.prescreens import EFFUSION, PNEUMOTHORAX, prescreen

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NORMAL = prescreen(findings=(EFFUSION,))


def found(
    *drafts: dict[str, Any],
    done: tuple[dict[str, Any], ...] = (study(),),
    seen: Any = NORMAL,
    hours: int = 48,
    selected: tuple[dict[str, Any], ...] = (),
) -> list[Card]:
    window = timedelta(hours=hours)
    said = possible_duplicates(selected or drafts, drafts, studies(done), seen, window=window, now=NOW)
    return [statement.card for statement in said]


def test_a_like_study_within_the_window_is_named_and_the_draft_may_go() -> None:
    (card,) = found(order())
    assert card["indicator"] == "info"
    assert card["summary"] == (
        "Possible duplicate: chest radiograph of 2026-11-22 06:55 is on record (5 hours old)"
    )
    assert card["detail"] == "**On record:** DX, 2026-11-22 06:55 (5 hours old), *XR CHEST*"
    (suggestion,) = card["suggestions"]
    (action,) = suggestion["actions"]
    assert (action["type"], action["resourceId"]) == ("delete", "ServiceRequest/o1")
    assert "resource" not in action
    assert {reason["code"] for reason in card["overrideReasons"]} >= {"condition-changed", "planned-follow-up"}


@pytest.mark.parametrize(
    "done",
    [
        (),
        (study(started="2026-11-20T11:59:00Z"),),
        (study(started=None),),
        (study(status="entered-in-error"),),
        (study(status="cancelled"),),
        (study(modality=[{"code": "CT"}]),),
        (study(description="XR KNEE", series=[]),),
    ],
    ids=["none", "too old", "of no known time", "mistaken", "cancelled", "another modality", "another part"],
)
def test_no_like_study(done: tuple[dict[str, Any], ...]) -> None:
    assert found(order(), done=done) == []


def test_the_window_is_a_setting() -> None:
    assert len(found(order(), done=(study(started="2026-11-20T11:00:00Z"),), hours=50)) == 1
    assert found(order(), hours=0) == []


@pytest.mark.parametrize("draft", [BLOOD, KNEE, named("CT head")], ids=["blood test", "knee", "head"])
def test_another_order_repeats_nothing(draft: dict[str, Any]) -> None:
    assert found(draft) == []


@pytest.mark.parametrize(
    "reason",
    [
        "Follow-up of pneumonia",
        "followup effusion",
        "Check ET tube",
        "s/p chest tube removal",
        "NG tube placement",
        "Post-op day 1",
        "repeat, first film rotated",
    ],
)
def test_a_repetition_on_purpose_is_no_duplicate(reason: str) -> None:
    assert found(order(reasonCode=[{"text": reason}])) == []
    assert found(order(note=[{"text": reason}])) == []


def test_any_other_reason_is_none() -> None:
    assert len(found(order(reasonCode=[{"text": "Chest pain, baseline before surgery"}]))) == 1


def test_the_film_that_shows_something_may_be_repeated() -> None:
    seen = prescreen(findings=(Finding("mass", 0.9, Level.HIGH, image=0.9),))
    assert found(order(), seen=seen) == []
    assert len(found(order(), seen=seen, done=(study("another"),))) == 1


def test_the_chest_may_be_imaged_again_for_what_cannot_wait() -> None:
    """Even where that is known from the notes alone: a card must not say "stat" and "remove" of one order."""
    seen = prescreen(findings=(PNEUMOTHORAX,), study=None)
    assert found(order(), seen=seen) == []
    knee = study(description="XR knee left", series=[])
    assert len(found(KNEE, seen=seen, done=(knee,))) == 1


def test_the_second_of_two_like_drafts() -> None:
    (card,) = found(order("a"), order("b"), done=())
    assert card["summary"] == "Possible duplicate: chest radiograph is ordered twice here"
    assert card["suggestions"][0]["actions"][0]["resourceId"] == "ServiceRequest/b"


def test_however_often_the_same_is_ordered_one_card_says_so() -> None:
    """Alert fatigue: an order set that ran away is one thing to say."""
    (card,) = found(order("a"), order("b"), order("c"), done=())
    assert card["summary"] == "Possible duplicate: chest radiograph is ordered 3 times here"
    (suggestion,) = card["suggestions"]
    assert suggestion["label"] == "Remove these 2 orders"
    removed = [action["resourceId"] for action in suggestion["actions"]]
    assert removed == ["ServiceRequest/b", "ServiceRequest/c"]
    (of_all,) = found(order("a"), order("b"))
    assert [action["resourceId"][-1] for action in of_all["suggestions"][0]["actions"]] == ["a", "b"]


def test_what_has_no_id_cannot_be_removed() -> None:
    (card,) = found(order("a"), order(None), done=())
    assert "suggestions" not in card


def test_even_a_follow_up_is_not_ordered_twice() -> None:
    reason = [{"text": "Follow-up of pneumonia"}]
    assert len(found(order("a", reasonCode=reason), order("b", reasonCode=reason))) == 1


@pytest.mark.parametrize(
    "other",
    [
        order("b", occurrenceDateTime="2026-11-23"),
        order("b", bodySite=[{"text": "Left chest wall"}]),
        named("XR Chest AP", id="b"),
    ],
    ids=["another day", "another site", "another projection"],
)
def test_drafts_that_differ_in_what_where_or_when(other: dict[str, Any]) -> None:
    assert found(order("a"), other, done=()) == []


def test_two_drafts_that_say_nothing_are_not_the_same() -> None:
    assert found(order("a", code=None), order("b", code=None), done=()) == []


def test_only_what_was_selected_is_advised_on() -> None:
    first, second = order("a"), order("b")
    assert len(found(first, second, selected=(second,), done=())) == 1
    assert found(first, second, selected=(first,), done=()) == []


def test_an_order_without_an_id_cannot_be_deleted() -> None:
    (card,) = found(order(id=None))
    assert "suggestions" not in card
    assert "selectionBehavior" not in card


def test_a_description_is_the_ehrs_text_and_no_markdown() -> None:
    (card,) = found(order(), done=(study(description="CHEST **now** [x](https://evil.example) <b>\n# y"),))
    assert r"\*\*now\*\* \[x\](https\://evil.example) \<b\> # y" in card["detail"]
