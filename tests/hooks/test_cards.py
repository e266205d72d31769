"""CDS Hooks 2.0, "CDS Service Response": what a card may and must hold."""

from __future__ import annotations

from typing import Any

import pytest

from cds.findings import Finding, Level, Missing
from cds.hooks.cards import cards
from tests.prescreens import EFFUSION, MASS, PACS_DOWN, PNEUMOTHORAX, prescreen

ORDER = {"resourceType": "ServiceRequest", "id": "o1", "status": "draft", "intent": "order", "priority": "routine"}


def card(*findings: Finding, orders: tuple[dict[str, Any], ...] = (ORDER,), **changes: Any) -> dict[str, Any]:
    (only,) = cards(prescreen(findings=findings, **changes), orders, "https://cds.example", "handle")
    return only


def test_nothing_to_say_is_no_card() -> None:
    assert cards(prescreen(findings=(MASS,)), [ORDER], "https://cds.example", "handle") == []


@pytest.mark.parametrize(
    ("finding", "indicator"),
    [
        (PNEUMOTHORAX, "critical"),
        (Finding("effusion", 0.9, Level.HIGH, image=0.9), "warning"),
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


def test_a_long_reason_is_cut() -> None:
    (only,) = cards(prescreen(findings=(), missing=(Missing("image", "x" * 500),)), [], "https://cds.example", "h")
    assert len(only["summary"]) < 140


def test_detail_names_what_was_seen_and_not_seen_and_the_models() -> None:
    detail = card(PNEUMOTHORAX, missing=(PACS_DOWN,))["detail"]
    assert "| Pneumothorax | high probability | 93 % | 95 % | 81 % |" in detail
    assert "**Seen:** DX PA of 2026-11-20; 1 note" in detail
    assert "**Not seen:** the PACS did not answer (503)." in detail
    assert "chest-radiograph 1.0.0 (aaaaaaaa)" in detail
    assert "Not a medical device" in detail


def test_a_stat_suggestion_updates_the_whole_order() -> None:
    given = card(PNEUMOTHORAX)
    (suggestion,) = given["suggestions"]
    assert given["selectionBehavior"] == "any"
    assert suggestion["actions"][0]["resource"] == {**ORDER, "priority": "stat"}


@pytest.mark.parametrize(
    "order", [{**ORDER, "priority": "stat"}, {**ORDER, "status": "active"}], ids=["already stat", "already signed"]
)
def test_no_suggestion_where_nothing_is_to_change(order: dict[str, Any]) -> None:
    assert "suggestions" not in card(PNEUMOTHORAX, orders=(order,))


def test_no_suggestion_for_what_is_not_time_critical() -> None:
    assert "suggestions" not in card(Finding("effusion", 0.9, Level.HIGH, image=0.9))


def test_the_smart_link_carries_only_the_handle() -> None:
    (link,) = card(PNEUMOTHORAX)["links"]
    assert (link["type"], link["appContext"]) == ("smart", "handle")


def test_a_patient_without_images_and_notes_is_no_card() -> None:
    nothing = tuple(Missing(part, "there is none.", fault=False) for part in ("image", "note"))
    assert cards(prescreen(findings=(), missing=nothing), [ORDER], "https://cds.example", "handle") == []


def test_nothing_could_be_seen_is_said_once() -> None:
    (only,) = cards(prescreen(findings=(), missing=(PACS_DOWN,)), [ORDER], "https://cds.example", "handle")
    assert only["summary"] == "No imaging prescreen: the PACS did not answer (503)."
    assert only["indicator"] == "info"
