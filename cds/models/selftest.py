"""Whether a bundle can be used at all: loaded by the engine of the service, and given something to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cds.engine.active import in_use
from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader
from cds.engine.local import LocalEngine
from cds.engine.note import NoteReader, pooled
from cds.engine.slices import SliceReader, score_series
from cds.errors import ModelError
from cds.settings import Settings

NOTES = (
    "Chest pain and dyspnea. Large right pleural effusion. No pneumothorax.",
    "Routine visit. Lungs clear. No acute findings.",
)


def engine_of(settings: Settings, bundle: Bundle) -> LocalEngine:
    """The engine of the service with ``bundle`` in its place."""
    image = bundle if bundle.role == "image" else in_use(settings, "image")
    note = bundle if bundle.role == "note" else in_use(settings, "note")
    return LocalEngine.load(image, note, device=settings.device, threads=settings.torch_threads)


def self_test(settings: Settings, bundle: Bundle) -> list[str]:
    """What was seen, in sentences; raise :class:`ModelError` where its scores cannot be any."""
    try:
        first, again, other = _slice_scores(settings, bundle) if bundle.of_ct else _scores(settings, bundle)
    except (RuntimeError, ValueError, TypeError, IndexError) as wrong:
        line = (str(wrong).splitlines() or [""])[0][:200]
        raise ModelError(f"the model fails on a picture or text of the size that it asks for: {line}") from None
    for scores in (first, other):
        if not all(math.isfinite(p) and 0 <= p <= 1 for p in scores.values()):
            raise ModelError("the model gives scores that are no probabilities")
    if first != again:
        raise ModelError("the model gives another score to the same input when asked again")
    if first == other:
        raise ModelError("the model gives the same scores whatever it sees")
    seen = [*first.values(), *other.values()]
    spread = f"{min(seen):.3f} to {max(seen):.3f}"
    return [f"Self-test: {len(first)} findings, probabilities from {spread}, the same when asked again."]


def _scores(settings: Settings, bundle: Bundle) -> tuple[Mapping[str, float], ...]:
    """Of the bundle alone: whether the others in use are sound is another question."""
    if bundle.version.kind == "note":
        note = NoteReader.load(bundle, settings.device)
        one, two = NOTES
        return tuple(bundle.score(pooled(note.read(text))).probabilities for text in (one, one, two))
    image = ImageReader.load(bundle, settings.device)
    shape = bundle.input["height"], bundle.input["width"]
    grain = np.random.default_rng(0).random(shape, dtype=np.float32)
    slope = np.broadcast_to(np.linspace(0, 1, shape[1], dtype=np.float32), shape)
    return tuple(image.score(picture).probabilities for picture in (grain, grain, slope))


def _slice_scores(settings: Settings, bundle: Bundle) -> tuple[Mapping[str, float], ...]:
    network = SliceReader.load(bundle, settings.device)
    grain = np.random.default_rng(0).random([bundle.input[k] for k in ("channels", "height", "width")], np.float32)
    black = np.zeros_like(grain)
    return tuple(
        score_series(bundle, network, series).score.probabilities
        for series in ([grain, black], [grain, black], [black])
    )
