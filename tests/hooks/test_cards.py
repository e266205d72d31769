"""CDS Hooks 2.0, "CDS Service Response": what a card may and must hold."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds.findings import FINDINGS, Finding, KeySlice, Level, Missing, NoteSeen
from cds.hooks import cards
from cds.hooks.cards import Card, Statement
from cds.hooks.discovery import IMAGING_PRESCREEN
from cds.hooks.duplicates import studies
from cds.hooks.order_advice import OrdersAtHand
from cds.hooks.overrides import Overrides
from cds.hooks.telling import Telling
from cds.reporting import words
from cds.sandbox.ehr.cards import faults
from tests.hooks.calling import BLOOD, KNEE, REFERRAL, call, order, study
from tests.hooks.test_openapi import check
from tests.prescreens import DOUBT, EFFUSION, PACS_DOWN, PNEUMOTHORAX, in_doubt, prescreen

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINK = {"label": "See why", "url": "https://cds.example/smart/launch", "type": "smart", "appContext": "handle"}
CALL = uuid.UUID("6d1a2d3c-0f0e-4c52-9d4f-0b5f6e9f6c11")
HIGH_EFFUSION = Finding("effusion", 0.9, Level.HIGH, image=0.9)


def of_findings(*findings: Finding, **changes: Any) -> Statement:
    return cards.of_findings(prescreen(findings=findings, **changes), findings, now=NOW, link=LINK)


def card(*findings: Finding, **changes: Any) -> Card:
    return of_findings(*findings, **changes).given(CALL, "https://cds.example")


def nothing_seen(*missing: Missing) -> Card:
    statement = cards.of_nothing_seen(prescreen(findings=(), missing=missing))
    return statement.given(CALL, "https://cds.example")


@pytest.mark.parametrize(
    ("finding", "indicator"),
    [
        (PNEUMOTHORAX, "critical"),
        (HIGH_EFFUSION, "warning"),
        (EFFUSION, "info"),
        (Finding("pneumothorax", 0.5, Level.REVIEW, image=0.5), "info"),
    ],
)
def test_indicator(finding: Finding, indicator: str) -> None:
    assert card(finding)["indicator"] == indicator


def test_summary_says_what_and_how_sure_in_under_140_characters() -> None:
    summary = card(PNEUMOTHORAX, EFFUSION)["summary"]
    assert summary == "AI prescreen: Pneumothorax: high probability (93 %), image and note; 1 more"
    assert len(summary) < 140


def test_where_image_and_note_disagree_the_summary_says_so_and_what_each_says() -> None:
    """ "19 %, uncertain" alone would leave a clinician to guess why."""
    disputed = Finding("consolidation", 0.19, Level.REVIEW, image=0.02, note=0.86, disputed=True)
    said = card(disputed, EFFUSION)
    assert said["summary"] == (
        "AI prescreen: Consolidation: image and note disagree, needs manual review (image 2 %, note 86 %); 1 more"
    )
    assert "| Consolidation | image and note disagree, needs manual review | 19 %" in said["detail"]


def test_what_is_likely_though_they_disagree_does_not_rest_on_both() -> None:
    disputed = Finding("edema", 0.92, Level.HIGH, image=0.92, note=0.02, disputed=True)
    assert card(disputed)["summary"] == (
        "AI prescreen: Pulmonary edema: high probability (92 %), but image 92 %, note 2 %"
    )


def test_of_a_ct_the_key_slice_is_named() -> None:
    hemorrhage = Finding("hemorrhage", 0.9, Level.HIGH, image=0.9, key_slice=KeySlice("1.2.3", 12, 28))
    said = card(hemorrhage, EFFUSION)
    assert said["summary"] == (
        "AI prescreen: Intracranial hemorrhage: high probability (90 %), image only, key slice 12 of 28; 1 more"
    )
    assert "| 90 %, key slice 12 of 28 | - |" in said["detail"]


def test_a_long_reason_is_cut() -> None:
    assert len(nothing_seen(Missing("image", "x" * 500))["summary"]) < 140


class TestDetail:
    """ "Card Attributes": detail is GitHub-flavoured markdown, without raw HTML."""

    def test_says_that_the_film_is_in_doubt(self) -> None:
        doubted = in_doubt(findings=(EFFUSION,))
        detail = cards.of_findings(doubted, doubted.findings, now=NOW, link=LINK).card["detail"]
        assert f"**In doubt:** {DOUBT}" in detail

    def test_names_findings_what_was_seen_how_old_it_is_what_was_not_seen_and_the_models(self) -> None:
        detail = card(PNEUMOTHORAX, missing=(PACS_DOWN,))["detail"]
        assert "| Pneumothorax | high probability | 93 % (62 to 97 %) | 95 % | 81 % |" in detail
        assert "**Seen:** DX PA of 2026-11-20, 2 days old; 1 note, 2 days old" in detail
        assert "**Not seen:** the PACS did not answer (503)." in detail
        assert "chest-radiograph 1.0.0 (aaaaaaaa)" in detail
        assert "Not a medical device" in detail

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ((date(2026, 11, 22),), "1 note, of today"),
            ((date(2026, 11, 21), date(2026, 11, 1)), "2 notes, the latest 1 day old"),
            ((None,), "1 note"),
            ((), "0 notes"),
        ],
    )
    def test_counts_the_notes_and_says_how_old_the_latest_is(
        self, written: Sequence[date | None], said: str
    ) -> None:
        notes = tuple(NoteSeen(f"DocumentReference/{day}", "A title", day, "d" * 64) for day in written)
        (seen,) = (line for line in card(EFFUSION, notes=notes)["detail"].splitlines() if "Seen" in line)
        assert seen.endswith(f"; {said}")

    @pytest.mark.parametrize(
        ("hours", "said"),
        [
            (0.5, "less than an hour old"),
            (1, "1 hour old"),
            (47, "47 hours old"),
            (240, "10 days old"),
            (-3, "less than an hour old"),
        ],
    )
    def test_how_old(self, hours: float, said: str) -> None:
        assert words.age(NOW - timedelta(hours=hours), NOW) == said

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=80))
    def test_text_of_the_ehr_reads_as_it_stands_there(self, text: str) -> None:
        """Neither a tag, nor a link, nor emphasis comes of it."""
        written = words.markdown(text)
        (shown,) = MarkdownIt("commonmark").enable("strikethrough").parseInline(f"said: {written}.")
        parts = shown.children or ()
        assert {part.type for part in parts} <= {"text", "text_special"}
        assert "".join(part.content for part in parts) == f"said: {words.one_line(text)}."
        # GitHub's extended autolinks, which the parser does not know.
        assert not re.search(r"(?i)://|www\.|(?<!\\)@", written)


@pytest.mark.parametrize("unseen", ["\u202e", "\u2067", "\u200f", "\u061c", "\x07", "\x1b[2J", "\x9b"])
def test_text_of_the_ehr_does_not_turn_the_rest_of_a_card_round(unseen: str) -> None:
    """UAX #9: what an override begins ends with the paragraph, which is ours."""
    assert words.one_line(f"XR {unseen} CHEST") in ("XR CHEST", "XR [2J CHEST")


def test_the_topic_is_the_worst_finding() -> None:
    """ "Source": ``topic`` describes the content of the card."""
    source = card(PNEUMOTHORAX, EFFUSION)["source"]
    assert source["topic"] == {
        "system": "https://sightline.example/fhir/CodeSystem/card-topic",
        "code": "pneumothorax",
        "display": "Pneumothorax",
    }


def test_the_smart_link_carries_only_the_handle() -> None:
    (link,) = card(PNEUMOTHORAX)["links"]
    assert (link["type"], link["appContext"]) == ("smart", "handle")


def test_nothing_could_be_seen_is_said_once() -> None:
    only = nothing_seen(PACS_DOWN)
    assert only["summary"] == "No imaging prescreen: the PACS did not answer (503)."
    assert only["indicator"] == "info"


# Invariants of the response, over whatever may be found, ordered and lacking.

findings = st.lists(
    st.builds(
        Finding,
        key=st.sampled_from(sorted(FINDINGS)),
        probability=st.floats(0, 1),
        level=st.sampled_from(Level),
        image=st.none() | st.floats(0, 1),
        note=st.none() | st.floats(0, 1),
    ),
    max_size=4,
    unique_by=lambda finding: finding.key,
).map(tuple)
orders = st.lists(
    st.builds(
        lambda one, **changes: {**one, **changes},
        st.sampled_from([order("a"), order("b"), order(None), KNEE, BLOOD, REFERRAL]),
        status=st.sampled_from(["draft", "active", "revoked"]),
        priority=st.sampled_from(["routine", "stat"]),
    ),
    min_size=1,
    max_size=4,
)
missing = st.lists(st.builds(Missing, part=st.sampled_from(["image", "note"]), reason=st.text(max_size=300)))


@given(findings, orders, missing.map(tuple), st.booleans())
def test_every_card_keeps_the_invariants(
    found: tuple[Finding, ...], drafts: list[dict[str, Any]], lacking: tuple[Missing, ...], filmed: bool
) -> None:
    """cds-resp-1 to cds-resp-6, summaries, and uuids that no other card or suggestion has."""
    seen = prescreen(findings=found, missing=lacking)
    done = studies([study("earlier", started=datetime.now(UTC).isoformat())] if filmed else [])
    asked = call("general", IMAGING_PRESCREEN, *drafts)
    at_hand = OrdersAtHand(asked, seen, drafts, done)
    telling = Telling(Forgetful(), "https://cds.example", b"k" * 32, timedelta(hours=24))  # type: ignore[arg-type]
    besides = [*at_hand.nothing_seen(), *at_hand.duplicates(timedelta(hours=48))]
    found_now = at_hand.findings()
    cards = telling(asked, seen, found_now, Overrides({}), suggestions=at_hand.suggestions, besides=besides)
    for one in cards:
        assert list(faults(one)) == []
        check(one, {"$ref": "#/components/schemas/Card"})
        keep_invariants(one)
    ids = [one["uuid"] for one in cards] + [s["uuid"] for one in cards for s in one.get("suggestions", ())]
    assert len(ids) == len(set(ids))


def keep_invariants(card: Card) -> None:
    assert 0 < len(card["summary"]) < 140
    assert card["source"]["topic"]["code"]
    assert holds_nothing_empty(card)
    for link in card.get("links", ()):
        assert link["type"] == "smart" or "appContext" not in link  # cds-resp-3
    for reason in card.get("overrideReasons", ()):
        assert reason["code"] and reason["system"] and reason["display"]  # noqa: PT018 (cds-resp-4)
    assert ("suggestions" in card) == ("selectionBehavior" in card)  # cds-resp-6
    recommended = [one for one in card.get("suggestions", ()) if one.get("isRecommended")]
    assert card.get("selectionBehavior") != "at-most-one" or len(recommended) <= 1  # cds-resp-1
    for action in (action for one in card.get("suggestions", ()) for action in one["actions"]):
        assert action["description"]  # cds-resp-5
        assert ("resource" in action) == (action["type"] in ("create", "update"))
        assert ("resourceId" in action) == (action["type"] == "delete")


def holds_nothing_empty(value: Any) -> bool:
    """RFC 8259 as CDS Hooks uses it: what is empty is left out."""
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value not in (None, "", [], {}) and all(map(holds_nothing_empty, held))


class Forgetful:
    """A record of nothing: what is said here is neither kept nor known."""

    def answered(self, *_: object) -> None:
        pass
