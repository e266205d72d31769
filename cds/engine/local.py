"""Both models in this process, on a CPU or a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.engine.device import torch_device
from cds.engine.image import ImageReader
from cds.engine.note import NoteReader, Read, pooled
from cds.engine.sentences import sentences
from cds.findings import PartScore, Passage


class LocalEngine:
    """Loads two bundles once and scores from any thread.

    Importing torch and transformers takes seconds, so it happens on construction, not on import.
    """

    def __init__(self, image: Bundle, note: Bundle, *, device: str = "auto", threads: int = 0) -> None:
        import torch  # noqa: PLC0415 (seconds; only who scores pays)
        from transformers.utils import logging  # noqa: PLC0415

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if threads:
            torch.set_num_threads(threads)
        self._device = torch_device(device)
        self.image_bundle = image.expect("image")
        self.note_bundle = note.expect("note")
        self._image_reader = ImageReader(image, self._device)
        self._note_reader = self._load_note()

    def score_image(self, pixels: NDArray[np.float32]) -> PartScore:
        """``pixels``: (height, width) as the bundle's ``input`` asks, 0..1, dense tissue bright."""
        return self._image_reader.score(pixels)

    def explain_image(self, pixels: NDArray[np.float32], finding: str) -> NDArray[np.float32]:
        """Which of ``pixels`` speak for ``finding`` (:meth:`~cds.engine.image.ImageReader.explain`)."""
        return self._image_reader.explain(pixels, finding)

    def score_note(self, text: str) -> PartScore:
        """De-identified text of any length, with the passages that carried a finding."""
        read = self._note_reader.read(text)
        score = self.note_bundle.score(pooled(read))
        return replace(score, passages=self._carried(text, read, score))

    def _carried(self, text: str, read: Sequence[Read], score: PartScore) -> tuple[Passage, ...]:
        """The sentences that, by themselves, are scored as far up as a person must look at.

        Where the model reads windows, the sentences of those that carried the score are looked at one by one.
        """
        low = {key: self.note_bundle.thresholds[key].review[0] for key in self.note_bundle.findings}
        if not any(score.probabilities[key] >= low[key] for key in low):
            return ()
        if not self._note_reader.by_sentence:
            strong = [r for r in read if self._above(r, low)]
            within = [s for s in sentences(text) if any(r.start < s.end and s.start < r.end for r in strong)]
            read = self._note_reader.read_sentences(within)
        return tuple(Passage(r.start, r.end, held) for r in read if (held := self._above(r, low)))

    def _above(self, read: Read, low: Mapping[str, float]) -> dict[str, float]:
        probabilities = self.note_bundle.score(read.logits).probabilities
        return {key: p for key, p in probabilities.items() if p >= low[key]}

    def warm_up(self) -> None:
        """Run each model once, so that the first request does not pay for lazy initialisation."""
        self._image_reader.warm_up()
        self.score_note("warm up")

    def _load_note(self) -> NoteReader:
        from transformers import AutoConfig, AutoTokenizer  # noqa: PLC0415

        from cds.engine.networks import note_network  # noqa: PLC0415

        directory = self.note_bundle.directory
        model = note_network(self.note_bundle).to(self._device)
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        positions = AutoConfig.from_pretrained(directory, local_files_only=True).max_position_embeddings
        return NoteReader(model, tokenizer, self.note_bundle.input, positions)
