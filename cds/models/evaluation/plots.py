"""ROC curves and reliability diagrams, one small picture per finding, as PNG files."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cds.findings import KNOWN_FINDINGS
from cds.models.evaluation.measures import Vector, calibration, roc
from cds.models.evaluation.scoring import Evaluation

ACROSS = 4
INCHES = 2.6
COLOUR = "#1f5fa8"

Draw = Callable[[Axes, Vector, Vector], None]


def roc_plot(evaluation: Evaluation) -> bytes:
    return _grid(evaluation, _roc, "false positive rate", "true positive rate")


def calibration_plot(evaluation: Evaluation) -> bytes:
    return _grid(evaluation, _reliability, "mean probability", "share of positives")


def _roc(axes: Axes, scores: Vector, labels: Vector) -> None:
    if 0 < labels.sum() < len(labels):
        axes.plot(*roc(scores, labels), color=COLOUR)


def _reliability(axes: Axes, scores: Vector, labels: Vector) -> None:
    """The larger a point, the more rows are in its bin."""
    if len(scores):
        means, shares, weights = calibration(scores, labels)
        axes.plot(means, shares, color=COLOUR, linewidth=0.8)
        axes.scatter(means, shares, s=10 + 120 * weights, color=COLOUR)


def _grid(evaluation: Evaluation, draw: Draw, x: str, y: str) -> bytes:
    count = len(evaluation.points)
    across = min(count, ACROSS)
    down = math.ceil(count / across)
    figure = Figure(figsize=(across * INCHES, down * INCHES + 0.4), dpi=110, layout="constrained")
    for number, (key, (scores, labels)) in enumerate(evaluation.points.items(), start=1):
        axes = figure.add_subplot(down, across, number)
        axes.plot([0, 1], [0, 1], color="#bbb", linewidth=0.8, linestyle="--")
        draw(axes, scores, labels)
        axes.set(title=KNOWN_FINDINGS[key].display, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.title.set_fontsize(9)
        axes.tick_params(labelsize=7)
    figure.supxlabel(x, fontsize=9)
    figure.supylabel(y, fontsize=9)
    png = BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
