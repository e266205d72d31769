"""How benchmarks count, and the form in which they report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import report
from bench.report import Row, percentile

ROWS = [
    Row("warm, 8 clients", 120.0, "1/s", peer=400.0, ratio=0.3, goal="3x", met=False, device="2 CPU cores"),
    Row("cold, 8 clients, p95", 312.3456, "ms", goal="below 500 ms", met=True, device="2 CPU cores"),
    Row("peer: could not be installed", None, "1/s"),
]


@pytest.mark.parametrize(
    ("percent", "value"),
    [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1), (0.5, 1), (99.5, 100)],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == value


def test_the_percentile_of_few_values_is_one_of_them() -> None:
    assert percentile([7.0], 99) == 7.0
    assert percentile([1.0, 9.0], 50) == 1.0
    assert percentile([1.0, 9.0], 51) == 9.0


def test_nothing_measured_has_no_percentile_and_meets_no_goal() -> None:
    assert percentile([], 95) is None
    assert report.at_most(500, None) is None
    assert report.at_least(3, None) is None
    assert report.ratio(None, 3.0) is None
    assert report.ratio(3.0, None) is None


@pytest.mark.parametrize("percent", [0, -1, 100.1])
def test_no_such_percentile(percent: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile([1.0], percent)


def test_goals() -> None:
    assert report.at_most(100, 99.9) is True
    assert report.at_most(100, 100) is False
    assert report.at_least(3, 3.0) is True
    assert report.at_least(3, 2.99) is False


def test_the_table_says_what_is_met() -> None:
    assert report.goals(ROWS).splitlines() == [
        "| measure              |   value |         goal | of the peer | met |",
        "|----------------------|--------:|-------------:|------------:|----:|",
        "| warm, 8 clients      | 120 1/s |           3x |        0.3x |  no |",
        "| cold, 8 clients, p95 |  312 ms | below 500 ms |           - | yes |",
    ]


def test_json_has_a_row_for_every_figure(tmp_path: Path) -> None:
    report.write_json(tmp_path / "rows.json", ROWS)
    written = json.loads((tmp_path / "rows.json").read_text())
    assert [set(row) for row in written] == [
        {"name", "value", "unit", "peer", "ratio", "goal", "met", "device"}
    ] * 3
    assert written[0]["ratio"] == 0.3
    assert written[2]["value"] is None
