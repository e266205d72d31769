"""How much of what identifies a de-identifier takes out, measured on annotated notes as a person would count."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cds.errors import NoteError
from cds.notes.deidentification.words import listed

Spans = Sequence[tuple[int, int]]
"""Start and end of what is taken out: ascending, not overlapping."""

_WORD = regex.compile(r"\w+")
_NAMES_NOBODY = frozenset(
    ["the", "dr", "mr", "mrs", "ms", "miss", "prof", "md", "m", "d", "s", "of", "and", "corner"]
)
"""Left standing of "Dr. Okafor, M.D.'s" or "the corner of Elm and Main", these are no leak."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A note, and what in it identifies: start, end, type."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Recall:
    """Of the identifiers of one type, how many are gone to the last letter; the interval is Wilson's, 95 %."""

    type: str
    spans: int
    removed: int
    recall: float
    low: float
    high: float
    leaks_per_1000_notes: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    notes: int
    words: int
    all: Recall
    types: tuple[Recall, ...]
    words_removed: int
    precision: float
    """Of the words taken out, the share that an annotation marks."""
    terms: int
    """Clinical terms of the list ``clinical_terms`` outside all annotations."""
    terms_destroyed_per_1000: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Leak:
    """An identifier of which something is left; kept only for whoever asks to see them."""

    note: int
    type: str
    start: int
    end: int


class _Span(BaseModel):
    model_config = ConfigDict(strict=True)

    start: int
    end: int
    type: str = Field(min_length=1, max_length=100)


class _Line(BaseModel):
    model_config = ConfigDict(strict=True)

    text: str
    spans: list[_Span]


def read(lines: Iterable[str]) -> Iterator[Annotated]:
    """JSON lines of ``text`` and ``spans`` (``start``, ``end``, ``type``); :class:`NoteError` names a bad line."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _annotated(number, line)


def _annotated(number: int, line: str) -> Annotated:
    try:
        held = _Line.model_validate_json(line)
    except ValidationError:
        raise NoteError(f"line {number} is no annotated note") from None
    if any(not 0 <= span.start < span.end <= len(held.text) for span in held.spans):
        raise NoteError(f"line {number} has a span outside its text")
    if not all(span.type.isprintable() for span in held.spans):
        raise NoteError(f"line {number} has a type that cannot be printed")
    return Annotated(held.text, tuple((span.start, span.end, span.type) for span in held.spans))


def evaluate(remove: Callable[[str], Spans], notes: Iterable[Annotated]) -> tuple[Evaluation, list[Leak]]:
    """``remove`` gives what a de-identifier takes out of a text."""
    tally = _Tally()
    for note in notes:
        tally.add(note, _Cover(remove(note.text)))
    if not tally.notes:
        raise NoteError("there is no annotated note to evaluate on")
    return tally.evaluation(), tally.leaks


class _Cover:
    """Which characters are taken out."""

    def __init__(self, spans: Spans) -> None:
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def whole(self, start: int, end: int) -> bool:
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and end <= self._ends[at]

    def touches(self, start: int, end: int) -> bool:
        at = bisect_right(self._starts, end - 1) - 1
        return at >= 0 and start < self._ends[at]


class _Tally:
    """Counts over notes."""

    def __init__(self) -> None:
        self.notes = self.words = self.removed = self.rightly = self.terms = self.destroyed = 0
        self.spans: dict[str, int] = defaultdict(int)
        self.leaks: list[Leak] = []

    def add(self, note: Annotated, cover: _Cover) -> None:
        for start, end, kind in note.spans:
            self.spans[kind] += 1
            if not _gone(note.text, start, end, cover):
                self.leaks.append(Leak(self.notes, kind, start, end))
        gold = _Cover(merged((start, end) for start, end, _ in note.spans))
        self._count_words(note.text, cover, gold)
        self.notes += 1

    def _count_words(self, text: str, cover: _Cover, gold: _Cover) -> None:
        terms = listed("clinical_terms")
        for word in _WORD.finditer(text):
            self.words += 1
            marked, taken = gold.touches(*word.span()), cover.touches(*word.span())
            self.removed += taken
            self.rightly += taken and marked
            if not marked and word[0].casefold() in terms:
                self.terms += 1
                self.destroyed += taken

    def evaluation(self) -> Evaluation:
        leaked: dict[str, int] = defaultdict(int)
        for leak in self.leaks:
            leaked[leak.type] += 1
        return Evaluation(
            notes=self.notes,
            words=self.words,
            all=self._recall("all", sum(self.spans.values()), len(self.leaks)),
            types=tuple(self._recall(kind, n, leaked[kind]) for kind, n in sorted(self.spans.items())),
            words_removed=self.removed,
            precision=self.rightly / self.removed if self.removed else 1.0,
            terms=self.terms,
            terms_destroyed_per_1000=1000 * self.destroyed / self.terms if self.terms else 0.0,
        )

    def _recall(self, kind: str, spans: int, leaks: int) -> Recall:
        low, high = wilson(spans - leaks, spans)
        recall = (spans - leaks) / spans if spans else 1.0
        return Recall(kind, spans, spans - leaks, recall, low, high, 1000 * leaks / self.notes)


def _gone(text: str, start: int, end: int, cover: _Cover) -> bool:
    """Every word of the identifier is covered; a title alone left standing tells nothing."""
    return all(
        cover.whole(*word.span()) or word[0].casefold() in _NAMES_NOBODY
        for word in _WORD.finditer(text, start, end)
    )


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ascending, those that touch or overlap as one."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    p, n = hits / of, of
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))
