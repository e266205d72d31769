"""How far a probability can be off: Venn-Abers intervals (Vovk & Petej, UAI 2014), looked up in a table.

``training/fusion/venn_abers.py`` makes the table and says what an interval means. It holds for the very models
that it was made with: of others nothing is said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from cds.findings import PartScore

Interval = tuple[float, float]
Parts = Literal["both", "image", "note"]
"""What a probability rests on."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """The intervals of one fusion bundle."""

    cuts: Sequence[float]
    """Probabilities, rising; between two of them the interval is the same."""
    ends: Mapping[Parts, Mapping[str, tuple[Sequence[float], Sequence[float]]]]
    """By parts and finding the lower ends and the upper ones, one more of each than there are cuts."""
    made_with: frozenset[str]
    """The digests of the image and the note model."""

    @classmethod
    def from_manifest(cls, stated: Mapping[str, Any], findings: Sequence[str]) -> Self:
        """Raise :class:`ValueError`, KeyError or TypeError for what is no such table."""
        cuts = stated["cuts"]
        ends: dict[Parts, Mapping[str, tuple[Sequence[float], Sequence[float]]]] = {
            parts: {key: _ends(cuts, *stated[parts][key]) for key in findings}
            for parts in ("both", "image", "note")
        }
        return cls(cuts, ends, frozenset(stated["made_with"]))

    def holds_for(self, *scores: PartScore | None) -> bool:
        return all(score.model.digest in self.made_with for score in scores if score)

    def interval(self, key: str, probability: float, parts: Parts) -> Interval:
        """Around ``probability``, which is always within."""
        low, high = self.ends[parts][key]
        place = bisect_right(self.cuts, probability)
        return min(low[place], probability), max(high[place], probability)


def _ends(
    cuts: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> tuple[Sequence[float], Sequence[float]]:
    rising = all(list(one) == sorted(one) for one in (cuts, low, high))
    within = all(0 <= a <= b <= 1 for a, b in zip(low, high, strict=True))
    if not rising or not within or len(low) != len(cuts) + 1:
        raise ValueError("intervals")
    return low, high
