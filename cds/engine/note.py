"""Reading a note with a BERT sequence classifier: sentence by sentence, or in overlapping windows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cds.engine.relevance import most_relevant
from cds.engine.sentences import Sentence, sentences
from cds.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

BATCH = 16
"""Sentences of like length that go through the model at once."""


@dataclass(frozen=True, slots=True)
class Read:
    """``text[start:end]`` of a note and what the model says of it, one logit per finding."""

    start: int
    end: int
    logits: tuple[float, ...]


class NoteReader:
    """Cuts a note as the bundle's ``input`` asks and pools what the model says of the pieces by the maximum."""

    def __init__(self, model: nn.Module, tokenizer: Any, spec: Mapping[str, Any], positions: int) -> None:
        """``positions``: as many tokens the model can read at once.

        Raises :class:`ModelError` for a ``spec`` that the model cannot be read with.
        """
        import torch  # noqa: PLC0415 (seconds; only who scores pays)

        if wrong := _wrong(spec, positions):
            raise ModelError(f"the note model's input cannot be used: {wrong}")
        self._torch = torch
        self._model = model
        self._tokenizer = tokenizer
        self._spec = spec
        self._device = next(model.parameters()).device

    @property
    def by_sentence(self) -> bool:
        return self._spec.get("unit") == "sentence"

    def read(self, text: str) -> list[Read]:
        """De-identified text of any length; at least one piece, if only of nothing."""
        if self.by_sentence:
            chosen = most_relevant(sentences(text), self._spec["most_sentences"])
            return self.read_sentences(chosen or [Sentence(0, 0, "", "")])
        return self._windows(text)

    def read_sentences(self, found: Sequence[Sentence]) -> list[Read]:
        """Each by itself, in the order given."""
        logits: dict[int, list[float]] = {}
        order = sorted(range(len(found)), key=lambda i: len(found[i].heading) + len(found[i].text))
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            logits |= dict(zip(batch, self._logits(self._encoded([found[i] for i in batch])), strict=True))
        return [Read(s.start, s.end, tuple(logits[i])) for i, s in enumerate(found)]

    def _encoded(self, batch: Sequence[Sentence]) -> Any:
        """With its heading as the first segment, where the model has learnt to read it so."""
        headings = [[s.heading for s in batch]] if self.by_sentence else []
        return self._tokenizer(
            *headings,
            [american(s.text) for s in batch],
            truncation="only_second" if headings else True,
            max_length=self._spec["max_tokens"],
            padding=True,
            return_tensors="pt",
        )

    def _windows(self, text: str) -> list[Read]:
        inputs = self._tokenizer(
            text,
            truncation=True,
            max_length=self._spec["max_tokens"],
            stride=self._spec["stride"],
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        inputs.pop("overflow_to_sample_mapping", None)
        offsets = inputs.pop("offset_mapping")
        spans = [(int(o[o[:, 1] > 0, 0].min()), int(o[:, 1].max())) if o.any() else (0, 0) for o in offsets]
        found: list[Read] = []
        for first in range(0, len(spans), BATCH):
            part = {name: values[first : first + BATCH] for name, values in inputs.items()}
            logits = self._logits(part)
            found += [Read(*span, tuple(row)) for span, row in zip(spans[first:], logits, strict=False)]
        return found

    def _logits(self, inputs: Mapping[str, Any]) -> list[list[float]]:
        with self._torch.inference_mode():
            moved = {name: values.to(self._device) for name, values in inputs.items()}
            rows: list[list[float]] = self._model(**moved).logits.float().tolist()
        return rows


_BRITISH = re.compile(r"\bo(?=edema|esoph)|(?<=h)a(?=em[aop])|(?<=umo)u(?=r)", re.IGNORECASE)
"""The letter that American spelling leaves out: oedema, oesophageal, haemothorax, tumour."""


def american(text: str) -> str:
    """British spellings of what a chest can have, as our model has learnt to spell them."""
    return _BRITISH.sub("", text)


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
