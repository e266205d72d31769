"""Lines as they were before a narrow page broke them."""

from __future__ import annotations

import regex

_WRAP = regex.compile(r"(?m)^[^\n]{50,}(?<![.:;!?|\s])(?P<end>[ ]?\n)(?=\p{L})(?![\p{L} /#-]{1,30}[:=|])")
"""The end of a long line that ends no sentence, before one that begins with no label."""


def unwrapped(text: str) -> str:
    """``text``, character by character, with a space for each break within a sentence.

    A name that stands on two lines then reads as on one; all offsets hold.
    """
    letters = list(text)
    for match in _WRAP.finditer(text):
        letters[match.end("end") - 1] = " "
    return "".join(letters)
