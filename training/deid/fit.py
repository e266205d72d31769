"""Fitting the token classifier."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.network import LABELS
from cds.notes.deidentification.tokens import tokens
from cds.notes.deidentification.vocabulary import Lexicon, Vocabulary
from training.deid.network import Network, Rows, Shape, rows
from training.deid.writer import Note

WINDOW = 200
BATCH_TOKENS = 2_500
NO_LEXICON, NO_VECTOR = 0.25, 0.1
"""How often a word of a batch is shown without what we know of it, so that the rest learns to do without."""
RATE = 3e-3

_LABEL_OF = {
    Category.NAME: "NAME",
    Category.ADDRESS: "ADDRESS",
    Category.FACILITY: "FACILITY",
    Category.DATE: "DATE",
    Category.BIRTH_DATE: "DATE",
    Category.AGE: "O",
}


@dataclass(frozen=True, slots=True)
class Window:
    words: Sequence[str]
    gaps: Sequence[int]
    labels: Sequence[int]


def windows(notes: Sequence[Note]) -> list[Window]:
    """Every note in pieces of at most :data:`WINDOW` tokens, each token with its label."""
    made = []
    for note in notes:
        read, labels = tokens(note.text), labelled(note)
        for at in range(0, len(labels), WINDOW):
            cut = slice(at, at + WINDOW)
            made.append(Window(read.words[cut], read.gaps[cut], labels[cut]))
    return made


def labelled(note: Note) -> list[int]:
    read = tokens(note.text)
    labels = [0] * len(read.words)
    spans = sorted(note.spans)
    at = 0
    for start, end, category in spans:
        while at < len(labels) and read.ends[at] <= start:
            at += 1
        place = at
        while place < len(labels) and read.starts[place] < end:
            labels[place] = LABELS.index(_LABEL_OF.get(category, "NUMBER"))
            place += 1
    return labels


def build(words: Sequence[str], vectors: np.ndarray) -> Network:
    network = Network(Shape(words=len(words), embedding=vectors.shape[1]))
    network.embedding.weight.data = torch.from_numpy(vectors.astype(np.float32))
    return network


def fit(
    network: Network,
    words: Sequence[str],
    lexicon: Lexicon,
    notes: Sequence[Note],
    *,
    epochs: int,
    seed: int,
    rate: float,
    checkpoint: Path,
) -> None:
    """In place; the state after each epoch is left in ``checkpoint``."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    pieces = windows(notes)
    forms = sorted({word for piece in pieces for word in piece.words})
    index = {word: i for i, word in enumerate(forms)}
    every = rows(Vocabulary(words, lexicon).encode(forms))
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], rate, weight_decay=0.01)
    steps = epochs * len(list(_batches(pieces, rng)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 2 * epochs, pct_start=0.1)
    network.train()
    started, losses = time.monotonic(), []
    for epoch in range(epochs):
        for batch in _batches(pieces, rng):
            loss = _loss(network, every, index, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        torch.save(network.state_dict(), checkpoint)
        spent = time.monotonic() - started
        print(f"epoch {epoch + 1}: loss {np.mean(losses[-50:]):.4f}, {spent:.0f} s", file=sys.stderr, flush=True)
    network.eval()


def _batches(pieces: Sequence[Window], rng: random.Random) -> Iterator[list[Window]]:
    """Of like lengths, in no order."""
    ordered = sorted(pieces, key=lambda p: len(p.words) + rng.random() * 20)
    batches: list[list[Window]] = [[]]
    for piece in ordered:
        if len(batches[-1]) * len(piece.words) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(piece)
    rng.shuffle(batches)
    yield from batches


def _loss(network: Network, every: Rows, index: dict[str, int], batch: Sequence[Window]) -> Tensor:
    distinct = sorted({word for piece in batch for word in piece.words})
    place = {word: i for i, word in enumerate(distinct)}
    shown = torch.tensor([index[word] for word in distinct])
    known = network.words(_forgetful(every, shown))
    width = max(len(piece.words) for piece in batch)
    at = torch.zeros(len(batch), width, dtype=torch.long)
    gaps = torch.zeros(len(batch), width, dtype=torch.long)
    truth = torch.full((len(batch), width), -100)
    for row, piece in enumerate(batch):
        n = len(piece.words)
        at[row, :n] = torch.tensor([place[w] for w in piece.words])
        gaps[row, :n] = torch.tensor(piece.gaps)
        truth[row, :n] = torch.tensor(piece.labels)
    x = known[at] * (truth != -100).unsqueeze(2)
    return nn.functional.cross_entropy(network(x, gaps).flatten(0, 1), truth.flatten())


def _forgetful(every: Rows, shown: Tensor) -> Rows:
    lexicon, embedding = every.lexicon[shown].clone(), every.embedding[shown].clone()
    lexicon[torch.rand(len(shown)) < NO_LEXICON] = 0
    embedding[torch.rand(len(shown)) < NO_VECTOR] = 0
    return Rows(embedding, every.characters[shown], lexicon, every.shape[shown])
