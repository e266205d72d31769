"""Reading a note with a BERT sequence classifier: sentence by sentence, or in overlapping windows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.lexicon import NAME, Lexicon
from cds.engine.network import Inputs, Network, TorchNetwork, numbers
from cds.engine.relevance import most_relevant
from cds.engine.sentence_scores import Row, Said, SentenceScores
from cds.engine.sentences import Sentence, sentences
from cds.engine.tokens import Tokens
from cds.engine.wording import each_alone, spelled_out
from cds.errors import ModelError

BATCH = 16
"""Sentences of like length that go through the model at once."""


@dataclass(frozen=True, slots=True)
class Read:
    """``text[start:end]`` of a note and what the model says of it, one logit per finding."""

    start: int
    end: int
    logits: tuple[float, ...]


class NoteReader:
    """Cuts a note as the bundle's ``input`` asks; :func:`pooled` makes one of what is said of the pieces."""

    def __init__(
        self,
        network: Network,
        tokens: Tokens,
        spec: Mapping[str, Any],
        lexicon: Lexicon | None = None,
        scores: SentenceScores | None = None,
    ) -> None:
        """Raise :class:`ModelError` for a ``spec`` that it cannot be read with.

        ``lexicon`` says of each sentence what its words do; ``scores`` are of those read before, by this model.
        """
        if wrong := _wrong(spec, tokens.positions):
            raise ModelError(f"the note model's input cannot be used: {wrong}")
        self._network = network
        self._tokens = tokens
        self._spec = spec
        self._lexicon = lexicon
        self._scores = scores
        if self.by_sentence:
            tokens.limit(spec["max_tokens"], cut="only_second")
        else:
            tokens.limit(spec["max_tokens"], spec["stride"])

    @classmethod
    def of(cls, bundle: Bundle, network: Network, scores: SentenceScores | None = None) -> Self:
        """The words and limits of ``bundle``; ``network`` may run anywhere."""
        directory = bundle.expect("note").directory
        sealed = NAME in bundle.manifest["files"]
        lexicon = Lexicon.load(directory / NAME, bundle.findings) if sealed else None
        return cls(network, Tokens.of(directory), bundle.input, lexicon, scores)

    @classmethod
    def load(cls, bundle: Bundle, device: str = "auto") -> Self:
        """In this process. Importing torch takes seconds, so it happens here, not on import."""
        from cds.engine.device import torch_device  # noqa: PLC0415
        from cds.engine.networks import note_network  # noqa: PLC0415

        return cls.of(bundle, TorchNetwork(note_network(bundle.expect("note")), torch_device(device)))

    @property
    def by_sentence(self) -> bool:
        return self._spec.get("unit") == "sentence"

    def read(self, text: str, deadline: Deadline = NEVER) -> list[Read]:
        """De-identified text of any length; at least one piece, if only of nothing.

        Raises what the network raises, and :class:`ModelError` where it gives no numbers.
        """
        if self.by_sentence:
            chosen = most_relevant(sentences(text), self._spec["most_sentences"])
            return self.read_sentences(chosen or [Sentence(0, 0, "", "")], deadline)
        return self._windows(text, deadline)

    def read_sentences(self, found: Sequence[Sentence], deadline: Deadline = NEVER) -> list[Read]:
        """Each by itself, in the order given; what is said twice is read once."""
        said = [_as_learnt(sentence) for sentence in found]
        different = list(dict.fromkeys(chain.from_iterable(said)))
        rows = self._scores.known(different) if self._scores is not None else {}
        new = self._scored([one for one in different if one not in rows], deadline)
        if self._scores is not None:
            self._scores.keep(new)
        rows |= new
        highest = [np.max([rows[one] for one in readings], axis=0) for readings in said]
        return [Read(s.start, s.end, tuple(row.tolist())) for s, row in zip(found, highest, strict=True)]

    def _scored(self, said: Sequence[Said], deadline: Deadline) -> dict[Said, Row]:
        rows: dict[Said, Row] = {}
        order = sorted(said, key=lambda one: sum(map(len, one)))
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            rows |= zip(batch, numbers(self._network(self._encoded(batch), deadline)), strict=True)
        if self._lexicon:
            rows = {(heading, text): row + self._lexicon.logits(text) for (heading, text), row in rows.items()}
        return rows

    def _encoded(self, batch: Sequence[Said]) -> Inputs:
        """With its heading as the first segment, where the model has learnt to read it so."""
        return self._tokens.inputs(batch if self.by_sentence else [text for _, text in batch])

    def _windows(self, text: str, deadline: Deadline) -> list[Read]:
        inputs, spans = self._tokens.windows(text)
        found: list[Read] = []
        for first in range(0, len(spans), BATCH):
            part = {name: values[first : first + BATCH] for name, values in inputs.items()}
            rows = numbers(self._network(part, deadline)).tolist()
            found += [Read(*span, tuple(row)) for span, row in zip(spans[first:], rows, strict=False)]
        return found


def _as_learnt(sentence: Sentence) -> list[Said]:
    """The sentence in words that the model knows; two readings of one that names two findings in a word."""
    words = american(in_words(sentence.text, sentence.heading))
    return [(spelled_out(sentence.heading), reading) for reading in each_alone(words)]


_BRITISH = re.compile(r"\bo(?=edema|esoph)|(?<=h)a(?=em[aop])|(?<=umo)u(?=r)", re.IGNORECASE)
"""The letter that American spelling leaves out: oedema, oesophageal, haemothorax, tumour."""


def american(text: str) -> str:
    """British spellings of what a chest can have, as our model has learnt to spell them."""
    return _BRITISH.sub("", text)


_MINUS = re.compile(r"(?:(?<=[,;] )-|\(-\)) ?(?=[A-Za-z])")
_MARKED = re.compile(r"(?<!\S)(?P<named>[A-Za-z][^,;.()]{0,60}?) ?\((?P<sign>[+-])\)(?= *(?:[,;.]|$))")


def without_signs(text: str) -> str:
    """``+ infiltrate, - effusion, (-) PTX, mass (-)``: a minus among findings is a denial."""
    return _MINUS.sub("no ", _MARKED.sub(_said, text))


def _said(marked: re.Match[str]) -> str:
    return f"no {marked['named']}" if marked["sign"] == "-" else f"{marked['named']} present"


_NORMAL = re.compile(r"\bWNL\b", re.IGNORECASE)
_ASKS = re.compile(r"\b(?:indication|reason|question|clinical (?:history|information))\b")
_DENIES = re.compile(r"\b(?:resolved(?: (?:problems?|issues?))?|negatives|absent)$")
_LISTED = re.compile(r"(?:^|, )(?!(?:but|no|not|now|still|which)\b)", re.IGNORECASE)
"""Where something stands in a list."""
_ASKED_BEFORE = re.compile(r"\?+ ?(?=[A-Za-z])")
_ASKED_AFTER = re.compile(r"(?P<before>^|[,;] )(?P<asked>[^,;?]+)\?+$")


def in_words(text: str, heading: str = "") -> str:
    """What signs and a short form mean: a minus, WNL, and a question mark where ``heading`` says what is asked;
    a list under a heading that denies is denied one by one.

    Elsewhere a question mark is doubt: "Impression: pneumonia?" is no question to somebody else.
    """
    plain = _NORMAL.sub("within normal limits", without_signs(spelled_out(text)))
    if _DENIES.search(heading) and not plain.endswith("."):
        return _LISTED.sub(r"\g<0>no ", plain)
    if not _ASKS.search(heading):
        return plain
    return _ASKED_AFTER.sub(r"\g<before>rule out \g<asked>", _ASKED_BEFORE.sub("rule out ", plain))


def _wrong(spec: Mapping[str, Any], positions: int) -> str:
    """What is wrong with a bundle's ``input``, in a few words; empty where nothing is."""
    most, unit = spec.get("max_tokens"), spec.get("unit", "window")
    if not isinstance(most, int) or not 16 <= most <= positions:
        return f"max_tokens must be 16 to {positions}"
    if unit not in ("sentence", "window"):
        return "unit must be sentence or window"
    if spec.get("pooling", "max") != "max":
        return "pooling must be max"
    if unit == "sentence":
        least = spec.get("most_sentences")
        return "" if isinstance(least, int) and least >= 1 else "most_sentences must be 1 or more"
    stride = spec.get("stride")
    return (
        "" if isinstance(stride, int) and 0 <= stride <= most // 2 else "stride must be half of max_tokens at most"
    )


def pooled(read: Sequence[Read]) -> list[float]:
    """The maximum per finding."""
    return [max(column) for column in zip(*(r.logits for r in read), strict=True)]
