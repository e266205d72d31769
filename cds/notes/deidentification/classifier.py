"""The token classifier of a bundle: names, places and what else no pattern knows, by the words around."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.notes.deidentification.network import LABELS, Network
from cds.notes.deidentification.tokens import Tokens, tokens
from cds.notes.deidentification.vocabulary import NOTHING, Vocabulary

WINDOW = 6_000
"""Tokens that are looked at together; a longer note is read in such pieces."""
NAME_ALONE, NAME_IN_SMALL, UNHEARD_OF = 0.005, 0.015, 0.02
"""At this a word is taken whatever its label asks, where the lexicon has it as a name or place and as nothing else
(with a capital; in small letters), or does not have it at all."""
_NO_PLAIN_WORD = "00"
"""Neither ordinary nor clinical: the last two digits of the lexicon."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Neighbouring words of one label."""

    label: str
    start: int
    end: int
    probability: float
    """Of the surest word."""


class TokenClassifier:
    """Made once from a bundle of kind ``identifiers``; read from any thread."""

    def __init__(self, bundle: Bundle, *, unknown: Callable[[str], bool] | None = None) -> None:
        """``unknown`` says which words the lexicon is to forget, to see how the rest does without it."""
        self.bundle = bundle.expect("identifiers")
        try:
            config = json.loads((bundle.directory / "config.json").read_text())
            self.thresholds: dict[str, float] = config["thresholds"]
            words = (bundle.directory / "words.txt").read_text(encoding="utf-8").split()
            known = {word: digits for word, digits in _lexicon(bundle) if not (unknown and unknown(word))}
            self._asked = np.array([self.thresholds[label] for label in LABELS[1:]], np.float32)
            self._vocabulary = Vocabulary(words, known)
            self._network = Network(
                load_file(bundle.directory / "model.safetensors"), config["shape"]["dilations"]
            )
        except Exception as wrong:  # onnx and safetensors raise classes of their own that have no common base
            raise ModelError(f"model bundle {bundle.directory.name} does not load: {wrong}") from None
        if self._network.words != len(words):
            raise ModelError(f"model bundle {bundle.directory.name} does not load: its words are not its vectors'")

    def knows(self, word: str) -> dict[str, int]:
        """What the lexicon has of a casefolded word, each 0 to 3."""
        return self._vocabulary.knows(word)

    def find(self, text: str) -> Iterator[Labelled]:
        """What names or places somebody, in the order of the text."""
        read = tokens(text)
        for at in range(0, len(read.words), WINDOW):
            yield from self._find(_cut(read, slice(at, at + WINDOW)), text)

    def _find(self, read: Tokens, text: str) -> Iterator[Labelled]:
        best, sure = self._decided(self.probabilities(read), self._limits(read.words))
        for label, group in groupby(range(len(best)), key=lambda i: best[i]):
            places = list(group)
            if label:
                start, end = read.starts[places[0]], read.ends[places[-1]]
                yield Labelled(LABELS[label], start, end, max(sure[i] for i in places))

    def probabilities(self, read: Tokens) -> NDArray[np.float32]:
        """(tokens, labels)."""
        place = {word: i for i, word in enumerate(dict.fromkeys(read.words))}
        return self._network(self._vocabulary.encode(list(place)), [place[word] for word in read.words], read.gaps)

    def _limits(self, words: Sequence[str]) -> NDArray[np.float32]:
        """For each word, the probability at which it is taken whatever its label asks."""
        limit = {word: self._limit(word) for word in set(words)}
        return np.array([limit[word] for word in words], np.float32)

    def _limit(self, word: str) -> float:
        if len(word) < 3 or not word[0].isalpha():
            return 1.0
        digits = self._vocabulary.digits(word.casefold())
        if digits == NOTHING:
            return UNHEARD_OF
        if not digits.endswith(_NO_PLAIN_WORD):
            return 1.0
        return NAME_IN_SMALL if word.islower() else NAME_ALONE

    def _decided(
        self, probabilities: NDArray[np.float32], limits: NDArray[np.float32]
    ) -> tuple[list[int], list[float]]:
        """The likeliest label of each token, "O" only where what is left reaches no threshold."""
        best = probabilities[:, 1:].argmax(axis=1)
        some = 1 - probabilities[:, 0]
        label = np.where(some >= np.minimum(self._asked[best], limits), best + 1, 0)
        return label.tolist(), some.tolist()


def _lexicon(bundle: Bundle) -> Iterator[tuple[str, str]]:
    for line in (bundle.directory / "lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, digits = line.split()
        yield word, digits


def _cut(read: Tokens, piece: slice) -> Tokens:
    return Tokens(read.words[piece], read.starts[piece], read.ends[piece], read.gaps[piece])
