"""Words as numbers: what the token classifier's network is given of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEXICON = ("family", "given", "place", "ordinary", "clinical")
"""What the lexicon says of a word, each 0 (no) to 3 (often), in the order of its digits."""

HEAD, TAIL = 9, 5
"""Of a long word the first and last letters are read."""
CHARACTERS = 0x180
"""Latin letters; whatever lies beyond is one character."""
SHAPES = 8
NOTHING = "0" * len(LEXICON)
"""What the lexicon has of a word that it does not have."""

Lexicon = Mapping[str, str]


class Words(NamedTuple):
    """Distinct words as numbers: one row each."""

    embedding: NDArray[np.int64]
    """Row in the table of word vectors; 0: not there."""
    characters: NDArray[np.int64]
    """(words, ``HEAD + TAIL``); 0 behind the last."""
    lexicon: NDArray[np.float32]
    """(words, ``LEXICON``), 0..1."""
    shape: NDArray[np.int64]
    """Digits, small letters, capitals: one of ``SHAPES``."""


class Vocabulary:
    """Turns words into numbers."""

    def __init__(self, words: Sequence[str], lexicon: Lexicon) -> None:
        self._rows = {word: row for row, word in enumerate(words, 1)}
        self._lexicon = lexicon

    def knows(self, word: str) -> dict[str, int]:
        return dict(zip(LEXICON, map(int, self.digits(word)), strict=True))

    def digits(self, word: str) -> str:
        """One for each of :data:`LEXICON`, of a casefolded word."""
        return self._lexicon.get(word, NOTHING)

    def encode(self, words: Sequence[str]) -> Words:
        small = [word.casefold() for word in words]
        grades = np.frombuffer("".join(map(self.digits, small)).encode(), np.uint8).reshape(-1, len(LEXICON))
        return Words(
            np.array([self._rows.get(word, 0) for word in small], np.int64),
            _letters(words),
            (grades - np.uint8(ord("0"))).astype(np.float32) / np.float32(3),
            np.array([_shape(word) for word in words], np.int64),
        )


def _letters(words: Sequence[str]) -> NDArray[np.int64]:
    width = HEAD + TAIL
    text = "".join(_shortened(word).ljust(width, "\0") for word in words)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).reshape(-1, width)
    return np.minimum(codes, CHARACTERS - 1).astype(np.int64)


def _shortened(word: str) -> str:
    if word.isdigit() and len(word) > 4:
        word = "0" * len(word)
    return word if len(word) <= HEAD + TAIL else word[:HEAD] + word[-TAIL:]


def _shape(word: str) -> int:
    if word.isdigit():
        return 1 if len(word) <= 2 else 2 if len(word) <= 4 else 3
    if not word[0].isalpha():
        return 0
    if word.islower():
        return 4
    if word.isupper():
        return 5 if len(word) > 1 else 6
    return 7
