"""A note as headings and paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, empty for what stands before the first one, and its paragraphs."""

    heading: str
    paragraphs: tuple[str, ...]


def sections(text: str) -> list[Section]:
    """Split a text whose headings are lines that begin with ``## ``; paragraphs end at a blank line."""
    found = []
    for part in re.split(r"^## ", "\n" + text, flags=re.MULTILINE):
        heading, _, body = part.partition("\n")
        paragraphs = tuple(" ".join(p.split()) for p in re.split(r"\n\s*\n", body) if p.strip())
        if heading or paragraphs:
            found.append(Section(heading.strip(), paragraphs))
    return found
