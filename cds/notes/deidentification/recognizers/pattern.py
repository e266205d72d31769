"""A recognizer made of patterns that mark, within what they match, the part that identifies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from cds.notes.deidentification.categories import Category

TIMEOUT = 2.0
"""Seconds that one pattern may take over one note: far more than any takes by itself.

They are of the whole process, so a busy machine's other threads use them up too; a note must not be lost to that.
"""

IN_CONTEXT = 0.05
"""What the words around add to a score: they know better of what kind a number is."""

Patterns = Mapping[Category, Sequence["regex.Pattern[str]"]]


def compiled(*patterns: str) -> tuple[regex.Pattern[str], ...]:
    """Case-insensitive patterns; a group ``phi`` marks what identifies, else all of the match does.

    Where a pattern is looked for from something rare in its midst, a group ``begins`` marks what stands before.
    """
    return tuple(regex.compile(p, regex.IGNORECASE) for p in patterns)


class MarkedPatternRecognizer(EntityRecognizer):
    """Presidio's ``PatternRecognizer`` reports whole matches; here the context is matched but not reported."""

    patterns: ClassVar[Patterns] = {}
    score: ClassVar[float] = 0.8

    def __init__(self) -> None:
        super().__init__(supported_entities=[str(c) for c in self.patterns])

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: Sequence[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Raise :class:`TimeoutError` where a pattern takes too long."""
        return [
            RecognizerResult(category, *span, self.score + (IN_CONTEXT if "phi" in pattern.groupindex else 0))
            for category, patterns in self.patterns.items()
            for pattern in patterns
            for span in self.spans(category, pattern, text)
        ]

    def spans(self, category: Category, pattern: regex.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
        """Where ``pattern`` marks an identifier; a subclass may turn some down."""
        group = "phi" if "phi" in pattern.groupindex else 0
        begins = "begins" if "begins" in pattern.groupindex else group
        for match in pattern.finditer(text, timeout=TIMEOUT):
            yield match.start(begins), match.end(group)
