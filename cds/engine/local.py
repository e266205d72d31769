"""Both models in this process, on a CPU or a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader, Picture
from cds.engine.note import NoteReader, Read, pooled
from cds.engine.sentences import sentences
from cds.findings import PartScore, Passage


class LocalEngine:
    """Scores from any thread. Where the two networks run is the readers' affair."""

    def __init__(self, image: ImageReader, note_bundle: Bundle, note: NoteReader) -> None:
        self.image_bundle = image.bundle
        self.note_bundle = note_bundle
        self._image_reader = image
        self._note_reader = note

    @classmethod
    def load(cls, image: Bundle, note: Bundle, *, device: str = "auto", threads: int = 0) -> Self:
        """Both in this process. Importing torch and transformers takes seconds, so it happens here."""
        import torch  # noqa: PLC0415 (seconds; only who scores pays)

        if threads:
            torch.set_num_threads(threads)
        return cls(ImageReader.load(image, device), note, NoteReader.load(note, device))

    def score_image(self, pixels: Picture, deadline: Deadline = NEVER) -> PartScore:
        """``pixels``: (height, width) as the bundle's ``input`` asks, 0..1, dense tissue bright.

        Raises :class:`~cds.errors.EngineError` where no answer can be had by ``deadline``; so do all of these.
        """
        return self._image_reader.score(pixels, deadline)

    def explain_image(self, pixels: Picture, finding: str, deadline: Deadline = NEVER) -> Picture:
        """Which of ``pixels`` speak for ``finding`` (:meth:`~cds.engine.image.ImageReader.explain`)."""
        return self._image_reader.explain(pixels, finding, deadline)

    def score_note(self, text: str, deadline: Deadline = NEVER) -> PartScore:
        """De-identified text of any length, with the passages that carried a finding."""
        read = self._note_reader.read(text, deadline)
        score = self.note_bundle.score(pooled(read))
        return replace(score, passages=self._carried(text, read, score, deadline))

    def _carried(
        self, text: str, read: Sequence[Read], score: PartScore, deadline: Deadline
    ) -> tuple[Passage, ...]:
        """The sentences that, by themselves, are scored as far up as a person must look at.

        Where the model reads windows, the sentences of those that carried the score are looked at one by one.
        """
        low = {key: self.note_bundle.thresholds[key].review[0] for key in self.note_bundle.findings}
        if not any(score.probabilities[key] >= low[key] for key in low):
            return ()
        if not self._note_reader.by_sentence:
            strong = [r for r in read if self._above(r, low)]
            within = [s for s in sentences(text) if any(r.start < s.end and s.start < r.end for r in strong)]
            read = self._note_reader.read_sentences(within, deadline)
        return tuple(Passage(r.start, r.end, held) for r in read if (held := self._above(r, low)))

    def _above(self, read: Read, low: Mapping[str, float]) -> dict[str, float]:
        probabilities = self.note_bundle.score(read.logits).probabilities
        return {key: p for key, p in probabilities.items() if p >= low[key]}

    def warm_up(self) -> None:
        """Run each model once, so that the first request does not pay for lazy initialisation."""
        self._image_reader.warm_up()
        self.score_note("warm up")
