"""The token classifier's network: what a word is like, then what stands around it. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cds.notes.deidentification.tokens import GAPS

LABELS = ("O", "NAME", "ADDRESS", "FACILITY", "DATE", "NUMBER")
LEXICON = ("family", "given", "place", "ordinary", "clinical")
"""What the lexicon says of a word, each 0 (no) to 3 (often), in the order of its digits."""

HEAD, TAIL = 9, 5
"""Of a long word the first and last letters are read."""
_CHARACTERS = 0x180
"""Latin letters; whatever lies beyond is one character."""
_SHAPES = 8
_NOTHING = "0" * len(LEXICON)
"""What the lexicon has of a word that it does not have."""

Lexicon = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that the weights have."""

    words: int
    embedding: int = 64
    characters: int = 16
    filters: int = 64
    hidden: int = 128
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1)


@dataclass(frozen=True, slots=True)
class Words:
    """Distinct words as numbers: one row each."""

    embedding: Tensor
    """Row in the table of word vectors; 0: not there."""
    characters: Tensor
    lexicon: Tensor
    shape: Tensor


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
            torch.tensor([self._rows.get(word, 0) for word in small]),
            # By way of numpy: torch reads nested lists twenty times slower.
            torch.from_numpy(np.array([_letters(word) for word in words])),
            torch.from_numpy(np.array([self._grades(word) for word in small], np.float32)) / 3,
            torch.tensor([_shape(word) for word in words]),
        )


def _letters(word: str) -> list[int]:
    if word.isdigit() and len(word) > 4:
        word = "0" * len(word)
    if len(word) > HEAD + TAIL:
        word = word[:HEAD] + word[-TAIL:]
    codes = [min(ord(c), _CHARACTERS - 1) for c in word]
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


class Network(nn.Module):
    """Word vectors, letters and lexicon of each word, mixed by gated convolutions along the text."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.words + 1, shape.embedding, padding_idx=0)
        self.embedding.weight.requires_grad_(False)
        self.letters = nn.Embedding(_CHARACTERS, shape.characters, padding_idx=0)
        self.spelling = nn.Conv1d(shape.characters, shape.filters, 3, padding=1)
        of_a_word = shape.embedding + shape.filters + len(LEXICON) + _SHAPES
        self.word = nn.Sequential(
            nn.Linear(of_a_word, 2 * shape.hidden), nn.GELU(), nn.Linear(2 * shape.hidden, shape.hidden)
        )
        self.dropout = nn.Dropout(0.1)
        self.gap = nn.Embedding(len(GAPS), shape.hidden)
        self.blocks = nn.ModuleList(Block(shape.hidden, dilation) for dilation in shape.dilations)
        self.norm = nn.LayerNorm(shape.hidden)
        self.label = nn.Linear(shape.hidden, len(LABELS))

    def words(self, words: Words) -> Tensor:
        """(distinct words, hidden)."""
        spelling = self.spelling(self.letters(words.characters).transpose(1, 2)).amax(dim=2)
        shape = nn.functional.one_hot(words.shape, _SHAPES).float()
        return self.word(torch.cat([self.embedding(words.embedding), spelling, words.lexicon, shape], dim=1))  # type: ignore[no-any-return]

    def forward(self, x: Tensor, gaps: Tensor) -> Tensor:
        """``x``: (texts, tokens, hidden) of :meth:`words`; logits of shape (texts, tokens, labels)."""
        x = (x + self.gap(gaps)).transpose(1, 2)
        for block in self.blocks:
            x = block(self.dropout(x))
        return self.label(self.norm(x.transpose(1, 2)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A gated convolution of three tokens, ``dilation`` apart, beside a way around it."""

    def __init__(self, hidden: int, dilation: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(hidden, 2 * hidden, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + nn.functional.glu(self.mix(x), dim=1)
