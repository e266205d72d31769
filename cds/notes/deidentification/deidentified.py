"""What is left of a note without its identifiers."""

from __future__ import annotations

from dataclasses import dataclass

from cds.notes.deidentification.categories import Category


@dataclass(frozen=True, slots=True)
class Replaced:
    """One identifier that was taken out; what it was is not kept."""

    category: Category
    start: int
    """Offset of the first character in the original text."""
    end: int
    surrogate: str


@dataclass(frozen=True, slots=True)
class Deidentified:
    """The text without identifiers, and where in the original they stood."""

    text: str
    replaced: tuple[Replaced, ...]
