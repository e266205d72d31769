"""A note bundle's ``lexicon.tsv``: what words and pairs of words say of each finding, beside the network.

A network of few layers misses a description that it never met, of which a single word may yet be telling. The file
is a linear model over TF-IDF that a person can read: a head line (``term``, ``idf``, the findings), a line for the
term ``*`` with what holds for every text, then one line for each term.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cds.errors import ModelError

NAME = "lexicon.tsv"
ALWAYS = "*"
"""The term that every text has."""

_WORD = re.compile(r"[^\W\d_]{2,}")


class Lexicon:
    """A weight of each term for each finding."""

    def __init__(
        self, weights: Mapping[str, tuple[float, NDArray[np.float32]]], always: NDArray[np.float32]
    ) -> None:
        """``weights``: a term's inverse document frequency and its weight for each finding; ``always``: of all."""
        self._weights = weights
        self._always = always

    @classmethod
    def load(cls, path: Path, findings: Sequence[str]) -> Self:
        """Raise :class:`ModelError` for a file that is none, or is of other findings."""
        try:
            head, *lines = path.read_text(encoding="utf-8").splitlines()
            if head.split("\t") != ["term", "idf", *findings]:
                raise ModelError(f"{path.name} is not of the model's findings")
            weights = dict(_entry(line, len(findings)) for line in lines)
            _, always = weights.pop(ALWAYS)
        except (OSError, ValueError, LookupError) as wrong:
            raise ModelError(f"{path.name} cannot be read: {wrong}") from None
        return cls(weights, always)

    def __len__(self) -> int:
        return len(self._weights)

    def logits(self, text: str) -> NDArray[np.float32]:
        """What is to be added to the network's logits, one for each finding."""
        counts = Counter(term for term in terms(text) if term in self._weights)
        known = [(1 + math.log(n), *self._weights[term]) for term, n in counts.items()]
        length = math.sqrt(sum((often * idf) ** 2 for often, idf, _ in known)) or 1.0
        return sum((often * idf / length * weights for often, idf, weights in known), self._always)


def terms(text: str) -> Iterator[str]:
    """The words of ``text``, two letters or more, and each with the one after it."""
    words = _WORD.findall(text.lower())
    yield from words
    yield from map(" ".join, pairwise(words))


def _entry(line: str, findings: int) -> tuple[str, tuple[float, NDArray[np.float32]]]:
    term, idf, *weights = line.split("\t")
    values = np.array(weights, dtype=np.float32)
    if len(values) != findings or not np.isfinite([float(idf), *values]).all():
        raise ValueError(f"a term needs {findings} weights")
    return term, (float(idf), values)
