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
_NOTHING = "0" * len(LEXICON)
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
        return dict(zip(LEXICON, self._grades(word), strict=True))

    def _grades(self, word: str) -> list[int]:
        return [int(digit) for digit in self._lexicon.get(word, _NOTHING)]

    def encode(self, words: Sequence[str]) -> Words:
        small = [word.casefold() for word in words]
        return Words(
            np.array([self._rows.get(word, 0) for word in small], np.int64),
            np.array([_letters(word) for word in words], np.int64),
            np.array([self._grades(word) for word in small], np.float32) / np.float32(3),
            np.array([_shape(word) for word in words], np.int64),
        )


def _letters(word: str) -> list[int]:
    if word.isdigit() and len(word) > 4:
        word = "0" * len(word)
    if len(word) > HEAD + TAIL:
        word = word[:HEAD] + word[-TAIL:]
    codes = [min(ord(c), CHARACTERS - 1) for c in word]
    return codes + [0] * (HEAD + TAIL - len(codes))


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
