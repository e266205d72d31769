"""Words as the token classifier reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import regex

_TOKEN = regex.compile(r"\p{L}+(?:['\u2019]\p{L}{2,})*|['\u2019]s\b|\d+|[^\s\p{L}\d]")
GAPS = ("", " ", "\n", "wide")
"""What may stand before a token: nothing, a space, a line's end, a tab or several spaces."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one text: the words, where they stand, and by index in :data:`GAPS` what stands before each."""

    words: Sequence[str]
    starts: Sequence[int]
    ends: Sequence[int]
    gaps: Sequence[int]


def tokens(text: str) -> Tokens:
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    gaps: list[int] = []
    at = 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        words.append(match[0])
        starts.append(start)
        ends.append(end)
        gaps.append(_gap(text[at:start]))
        at = end
    return Tokens(words, starts, ends, gaps)


def _gap(between: str) -> int:
    if not between:
        return 0
    if between == " ":
        return 1
    return 2 if "\n" in between else 3
