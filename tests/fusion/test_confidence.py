"""What a bundle may say of how far a probability can be off."""

from __future__ import annotations

from typing import Any

import pytest

from cds.fusion.confidence import Confidence
from tests.fusion.intervals import confidence


def stated(low: list[float], high: list[float], cuts: list[float] | None = None) -> dict[str, Any]:
    table = {"effusion": [low, high]}
    return {"cuts": cuts or [0.5], "both": table, "image": table, "note": table, "made_with": []}


@pytest.mark.parametrize(
    ("p", "interval"), [(0.05, (0.0, 0.2)), (0.5, (0.4, 0.7)), (0.59, (0.4, 0.7)), (1, (0.8, 1))]
)
def test_between_two_cuts_the_interval_is_the_same(p: float, interval: tuple[float, float]) -> None:
    assert confidence("effusion").interval("effusion", p, "both") == pytest.approx(interval)


def test_a_probability_outside_of_its_interval_is_taken_in() -> None:
    table = Confidence.from_manifest(stated([0.1, 0.6], [0.2, 0.7]), ["effusion"])
    assert table.interval("effusion", 0.4, "note") == (0.1, 0.4)
    assert table.interval("effusion", 0.9, "note") == (0.6, 0.9)


@pytest.mark.parametrize(
    "wrong",
    [
        stated([0.1], [0.2]),
        stated([0.3, 0.2], [0.5, 0.5]),
        stated([0.3, 0.4], [0.5, 0.3]),
        stated([-0.1, 0.4], [0.5, 0.6]),
        stated([0.1, 0.4, 0.5], [0.2, 0.5, 0.6], [0.6, 0.4]),
    ],
)
def test_ends_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="intervals"):
        Confidence.from_manifest(wrong, ["effusion"])
