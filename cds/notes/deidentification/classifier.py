"""The token classifier of a bundle: names, places and what else no pattern knows, by the words around."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.notes.deidentification.tokens import Tokens, tokens

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 6_000
"""Tokens that are looked at together; a longer note is read in such pieces."""
NAME_ALONE, NAME_IN_SMALL, UNHEARD_OF = 0.003, 0.03, 0.06
"""At this a word is taken whatever its label asks, where the lexicon has it as a name or place and as nothing else
(with a capital; in small letters), or does not have it at all."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Neighbouring words of one label."""

    label: str
    start: int
    end: int
    probability: float
    """Of the surest word."""


class TokenClassifier:
    """Made once from a bundle of kind ``identifiers``; read from any thread.

    Importing torch takes seconds, so it happens on construction, not on import.
    """

    def __init__(self, bundle: Bundle, *, unknown: Callable[[str], bool] | None = None) -> None:
        """``unknown`` says which words the lexicon is to forget, to see how the rest does without it."""
        import torch  # noqa: PLC0415
        from safetensors.torch import load_file  # noqa: PLC0415

        from cds.notes.deidentification.network import LABELS, Network, Shape, Vocabulary  # noqa: PLC0415

        self.bundle = bundle.expect("identifiers")
        self._torch, self._labels = torch, LABELS
        try:
            config = json.loads((bundle.directory / "config.json").read_text())
            self.thresholds: dict[str, float] = config["thresholds"]
            self._vocabulary = Vocabulary(
                (bundle.directory / "words.txt").read_text(encoding="utf-8").split(),
                {word: digits for word, digits in _lexicon(bundle) if not (unknown and unknown(word))},
            )
            self._network = Network(Shape(**config["shape"])).eval()
            weights = load_file(bundle.directory / "model.safetensors")
            self._network.load_state_dict({name: weight.float() for name, weight in weights.items()})
        except (OSError, ValueError, LookupError, TypeError, RuntimeError) as wrong:
            raise ModelError(f"model bundle {bundle.directory.name} does not load: {wrong}") from None

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
                yield Labelled(self._labels[label], start, end, max(sure[i] for i in places))

    def probabilities(self, read: Tokens) -> Tensor:
        """(tokens, labels)."""
        torch = self._torch
        distinct = list(dict.fromkeys(read.words))
        place = {word: i for i, word in enumerate(distinct)}
        with torch.inference_mode():
            known = self._network.words(self._vocabulary.encode(distinct))
            x = known[torch.tensor([place[word] for word in read.words])].unsqueeze(0)
            logits: Tensor = self._network(x, torch.tensor(read.gaps).unsqueeze(0))[0]
        return logits.softmax(dim=1)

    def _limits(self, words: Sequence[str]) -> Tensor:
        """For each word, the probability at which it is taken whatever its label asks."""
        limit = {word: self._limit(word) for word in set(words)}
        return self._torch.tensor([limit[word] for word in words])

    def _limit(self, word: str) -> float:
        knows = self.knows(word.casefold())
        if not word[0].isalpha() or len(word) < 3 or knows["ordinary"] or knows["clinical"]:
            return 1.0
        if max(knows["family"], knows["given"], knows["place"]):
            return NAME_IN_SMALL if word.islower() else NAME_ALONE
        return UNHEARD_OF

    def _decided(self, probabilities: Tensor, limits: Tensor) -> tuple[list[int], list[float]]:
        """The likeliest label of each token, "O" only where what is left reaches no threshold."""
        best = probabilities[:, 1:].max(dim=1)
        some = 1 - probabilities[:, 0]
        asked = self._torch.tensor([self.thresholds[label] for label in self._labels[1:]])[best.indices]
        label = self._torch.where(some >= asked.minimum(limits), best.indices + 1, 0)
        return label.tolist(), some.tolist()


def _lexicon(bundle: Bundle) -> Iterator[tuple[str, str]]:
    for line in (bundle.directory / "lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, digits = line.split()
        yield word, digits


def _cut(read: Tokens, piece: slice) -> Tokens:
    return Tokens(read.words[piece], read.starts[piece], read.ends[piece], read.gaps[piece])
