"""Notes written by hand, apart from the banks and never trained on: ``[[Okafor|NAME]]`` marks an identifier."""

from __future__ import annotations

import re
from pathlib import Path

from cds.notes.deidentification.categories import Category
from training.deid.writer import Note, Span

_MARKED = re.compile(r"\[\[(.+?)\|(\w+)\]\]", re.DOTALL)
NOT_ASKED_FOR = "NONE"
"""Marks what looks like an identifier and is none of Safe Harbor's, or not surely."""


def notes(name: str = "handwritten") -> list[Note]:
    """``blind`` are those that nobody looked at while mending."""
    text = Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8")
    return [note(part.strip()) for part in text.split("\n=====\n")]


def note(marked: str) -> Note:
    text, at = "", 0
    spans: list[Span] = []
    for match in _MARKED.finditer(marked):
        text += marked[at : match.start()]
        if match[2] != NOT_ASKED_FOR:
            spans.append((len(text), len(text) + len(match[1]), Category(match[2])))
        text += match[1]
        at = match.end()
    return Note(text + marked[at:], tuple(spans))
