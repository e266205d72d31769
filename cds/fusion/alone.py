"""Findings that the image alone speaks of, because no fusion was made for them: a CT's, and those of your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cds.engine.bundles import Thresholds
from cds.findings import Finding, Level, PartScore
from cds.fusion.late import rank


def with_alone(
    fused: tuple[Finding, ...],
    image: PartScore,
    thresholds: Mapping[str, Thresholds],
    doubts: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """``fused`` and what else the image was scored for, worst first; its level by its bundle's ``thresholds``.

    Never HIGH where there are ``doubts`` about the film, as in :meth:`~cds.fusion.late.LateFusion.fuse`.
    """
    known = {finding.key for finding in fused}
    alone = [
        Finding(key, probability, _level(probability, thresholds[key], bool(doubts)), image=probability)
        for key, probability in image.probabilities.items()
        if key not in known
    ]
    return tuple(sorted([*fused, *alone], key=rank, reverse=True))


def _level(probability: float, thresholds: Thresholds, doubted: bool) -> Level:
    if probability >= thresholds.high:
        return Level.REVIEW if doubted else Level.HIGH
    low, high = thresholds.review
    return Level.REVIEW if low <= probability < high else Level.LOW
