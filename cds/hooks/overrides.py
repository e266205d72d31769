"""What clinicians have overridden of late for a patient, so that it is not said again (alert fatigue).

An override holds for all that the card said, within a window counted from the outcome's time, whoever asks. It
holds until the result changes: a finding is said again where its level is higher than it was on that card, or
where another image gives it another level. The same inputs and models always give the same level; a lower one
because the PACS was away is no new result. What was told last of the same thing counts: a suggestion accepted
after an override ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cds.findings import Finding, Level, Prescreen
from cds.hooks.cards import Statement

_RANK = {level.value: rank for rank, level in enumerate((Level.LOW, Level.REVIEW, Level.HIGH))}


@dataclass(frozen=True, slots=True)
class _Overridden:
    level: str
    study: str | None


class Overrides:
    """By what was spoken of: the level, and the study, at which it was overridden."""

    def __init__(self, by_key: Mapping[str, _Overridden]) -> None:
        self._by_key = by_key

    @classmethod
    def of(cls, outcomes: Iterable[tuple[str, Mapping[str, Any]]]) -> Self:
        """Of the outcomes of cards, each with what was kept of the card, oldest first."""
        held: dict[str, _Overridden] = {}
        for outcome, card in outcomes:
            for key, level in card.get("says", {}).items():
                held.pop(key, None)
                if outcome == "overridden":
                    held[key] = _Overridden(level, card.get("study"))
        return cls(held)

    def hold_for(self, finding: Finding, prescreen: Prescreen) -> bool:
        """Whether ``finding`` was overridden, and has not changed since."""
        then = self._by_key.get(finding.key)
        if then is None:
            return False
        now, study = finding.level.value, prescreen.study.study_uid if prescreen.study else None
        higher = _RANK[now] > _RANK.get(then.level, 0)
        by_another_image = study is not None and study != then.study and now != then.level
        return not (higher or by_another_image)

    def hold_for_all_of(self, statement: Statement) -> bool:
        """Whether everything that a statement of no finding says was overridden."""
        return all(key in self._by_key for key in statement.says)
