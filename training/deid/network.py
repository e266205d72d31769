"""The token classifier's network, to learn; :mod:`cds.notes.deidentification.network` computes the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cds.notes.deidentification.network import LABELS
from cds.notes.deidentification.tokens import GAPS
from cds.notes.deidentification.vocabulary import CHARACTERS, LEXICON, SHAPES, Words

HIDDEN = 192


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that the weights have."""

    words: int
    embedding: int = 64
    characters: int = 16
    filters: int = 64
    hidden: int = HIDDEN
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1)


class Rows(NamedTuple):
    """Distinct words as :class:`Words` has them, for torch."""

    embedding: Tensor
    characters: Tensor
    lexicon: Tensor
    shape: Tensor


def rows(words: Words) -> Rows:
    return Rows(*map(torch.from_numpy, words))


class Network(nn.Module):
    """Word vectors, letters and lexicon of each word, mixed by gated convolutions along the text."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.words + 1, shape.embedding, padding_idx=0)
        self.embedding.weight.requires_grad_(False)
        self.letters = nn.Embedding(CHARACTERS, shape.characters, padding_idx=0)
        self.spelling = nn.Conv1d(shape.characters, shape.filters, 3, padding=1)
        of_a_word = shape.embedding + shape.filters + len(LEXICON) + SHAPES
        self.word = nn.Sequential(
            nn.Linear(of_a_word, 2 * shape.hidden), nn.GELU(), nn.Linear(2 * shape.hidden, shape.hidden)
        )
        self.dropout = nn.Dropout(0.1)
        self.gap = nn.Embedding(len(GAPS), shape.hidden)
        self.blocks = nn.ModuleList(Block(shape.hidden, dilation) for dilation in shape.dilations)
        self.norm = nn.LayerNorm(shape.hidden)
        self.label = nn.Linear(shape.hidden, len(LABELS))

    def words(self, words: Rows) -> Tensor:
        """(distinct words, hidden)."""
        spelling = self.spelling(self.letters(words.characters).transpose(1, 2)).amax(dim=2)
        shape = nn.functional.one_hot(words.shape, SHAPES).float()
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
