"""What the image alone speaks of."""

from __future__ import annotations

import pytest

from cds.engine.bundles import Thresholds
from cds.findings import Finding, Level, ModelVersion, PartScore
from cds.fusion.alone import with_alone

MODEL = ModelVersion("image", "head-ct", "1", "1" * 64)
THRESHOLDS = {"hemorrhage": Thresholds(0.8, (0.4, 0.8))}
FUSED = (Finding("effusion", 0.5, Level.REVIEW, image=0.5),)


def alone(probability: float, *doubts: str) -> Finding:
    (finding,) = with_alone((), PartScore(MODEL, {"hemorrhage": probability}), THRESHOLDS, doubts)
    return finding


@pytest.mark.parametrize(("p", "level"), [(0.3, Level.LOW), (0.4, Level.REVIEW), (0.8, Level.HIGH)])
def test_levels_follow_the_thresholds_of_its_bundle(p: float, level: Level) -> None:
    assert alone(p) == Finding("hemorrhage", p, level, image=p)


def test_what_rests_on_a_film_in_doubt_is_for_a_person_to_look_at() -> None:
    assert alone(0.9, "shows no chest").level is Level.REVIEW


def test_what_was_fused_stays_and_the_worst_stands_first() -> None:
    score = PartScore(MODEL, {"effusion": 0.5, "hemorrhage": 0.9})
    assert [finding.key for finding in with_alone(FUSED, score, THRESHOLDS)] == ["hemorrhage", "effusion"]
