"""What a benchmark reports: figures with their goals, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

DASH = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    value: float | None
    """None where it could not be measured; ``name`` says why."""
    unit: str
    peer: float | None = None
    """The same figure of the peer that the benchmark names, measured in the same run."""
    ratio: float | None = None
    """``value / peer``."""
    goal: str = ""
    met: bool | None = None
    """None where there is no goal, or nothing to hold against it."""
    device: str = ""


def at_most(limit: float, value: float | None) -> bool | None:
    """Whether a goal of the kind "below" is met; None where nothing was measured."""
    return None if value is None else value < limit


def at_least(limit: float, value: float | None) -> bool | None:
    return None if value is None else value >= limit


def ratio(value: float | None, peer: float | None) -> float | None:
    return value / peer if value is not None and peer else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least ``percent`` of ``values`` do not exceed: nearest rank, not interpolated."""
    if not 0 < percent <= 100:
        raise ValueError("a percentile lies above 0 and at most at 100")
    if not values:
        return None
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def figure(value: float | None) -> str:
    """Three significant digits are more than a benchmark can promise."""
    if value is None:
        return DASH
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Markdown that reads well as plain text too; all columns but the first are aligned to the right."""
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]

    def row(cells: Sequence[str]) -> str:
        first, *rest = (f"{cell:{'<' if i == 0 else '>'}{widths[i]}}" for i, cell in enumerate(cells))
        return "| " + " | ".join([first, *rest]) + " |"

    first, *rest = ("-" * width for width in widths)
    rule = "|-" + first + "-|" + "|".join(f"-{dashes}:" for dashes in rest) + "|"
    return "\n".join([row(header), rule, *map(row, lines)])


def goals(rows: Sequence[Row]) -> str:
    """The rows that have a goal, and whether it is met."""
    lines = [
        [
            row.name,
            f"{figure(row.value)} {row.unit}" if row.value is not None else DASH,
            row.goal,
            f"{figure(row.ratio)}x" if row.ratio is not None else DASH,
            {True: "yes", False: "no", None: "not measured"}[row.met],
        ]
        for row in rows
        if row.goal
    ]
    return table(["measure", "value", "goal", "of the peer", "met"], lines)


def write_json(file: Path, rows: Sequence[Row]) -> None:
    """A list of objects with the fields of :class:`Row`."""
    file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def device() -> str:
    """What this ran on, in a few words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} CPU cores ({platform.machine()}), Python {platform.python_version()}"
