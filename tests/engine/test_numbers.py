"""A score that is no number is an error, and never a finding that is silently low."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader, black
from cds.engine.local import LocalEngine
from cds.engine.network import Inputs, Logits
from cds.engine.note import NoteReader
from cds.errors import ModelError
from cds.findings import PartScore
from tests.hospital import MODELS

IMAGE, NOTE = (Bundle.load(MODELS / name) for name in ("chest-radiograph", "clinical-note"))
TEXT = "No pleural effusion. The heart is enlarged. A cough for three weeks."


class Overflows:
    """Gives one number of the last row that is none, as 16 bits may."""

    def __init__(self, findings: int, number: float) -> None:
        self._findings = findings
        self._number = number

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        logits = np.zeros((len(next(iter(inputs.values()))), self._findings), np.float32)
        logits[-1, -1] = self._number
        return logits


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "score",
    [lambda engine: engine.score_image(black(IMAGE)), lambda engine: engine.score_note(TEXT)],
    ids=["image", "note"],
)
def test_whatever_is_read(score: Callable[[LocalEngine], PartScore], number: float) -> None:
    image, note = (Overflows(len(bundle.findings), number) for bundle in (IMAGE, NOTE))
    engine = LocalEngine(ImageReader(IMAGE, image), NOTE, NoteReader.of(NOTE, note))
    with pytest.raises(ModelError, match="no probabilities"):
        score(engine)
