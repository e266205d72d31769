"""The tokenizer of a note bundle, read without transformers: that takes seconds, and torch into memory with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from tokenizers import Encoding, Tokenizer

from cds.engine.network import Inputs
from cds.errors import ModelError

Text = str | tuple[str, str]
"""One text, or two segments."""
Cut = Literal["longest_first", "only_second"]
"""Of two segments that are too long together: which one is cut."""

POSITIONS = 512
"""Tokens that a network reads at once, where its configuration does not say."""


class Tokens:
    """Texts to what a network reads; from any thread."""

    def __init__(self, tokenizer: Tokenizer, config: dict[str, Any]) -> None:
        """``config``: what the bundle's ``config.json`` says."""
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._padding = config.get("pad_token_id") or 0
        self._segments = config.get("type_vocab_size", 0) > 0
        self.positions: int = config.get("max_position_embeddings", POSITIONS)

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Raise :class:`ModelError` where there is none that can be read."""
        try:
            return cls(_tokenizer(directory), json.loads((directory / "config.json").read_text()))
        except (OSError, ValueError) as wrong:
            raise ModelError(f"model bundle {directory.name} has no tokenizer that loads: {wrong}") from None

    def limit(self, most: int, stride: int = 0, cut: Cut = "longest_first") -> None:
        """``most`` tokens of a text, or in a window; to be said once, before any text is read."""
        self._tokenizer.enable_truncation(most, stride=stride, strategy=cut)

    def inputs(self, texts: Sequence[Text]) -> Inputs:
        """One row each; what is beyond the limit is left out."""
        return self._inputs(self._tokenizer.encode_batch(list(texts)))

    def windows(self, text: str) -> tuple[Inputs, list[tuple[int, int]]]:
        """One row for each window, and its start and end in ``text``."""
        first = self._tokenizer.encode(text)
        windows = [first, *first.overflowing]
        return self._inputs(windows), [_span(window) for window in windows]

    def _inputs(self, encoded: Sequence[Encoding]) -> Inputs:
        inputs = {
            "input_ids": _rows([each.ids for each in encoded], self._padding),
            "attention_mask": _rows([each.attention_mask for each in encoded], 0),
        }
        if self._segments:
            inputs["token_type_ids"] = _rows([each.type_ids for each in encoded], 0)
        return inputs


def _tokenizer(directory: Path) -> Tokenizer:
    if (file := directory / "tokenizer.json").is_file():
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    # An older form, which transformers alone can read.
    from transformers import AutoTokenizer  # noqa: PLC0415 (seconds)

    older: Tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True).backend_tokenizer
    return older


def _rows(rows: Sequence[Sequence[int]], padding: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    filled = np.full((len(rows), max(map(len, rows))), padding, np.int64)
    for row, values in zip(filled, rows, strict=True):
        row[: len(values)] = values
    return filled


def _span(window: Encoding) -> tuple[int, int]:
    words = [(start, end) for start, end in window.offsets if end > 0]
    return (min(start for start, _ in words), max(end for _, end in words)) if words else (0, 0)
