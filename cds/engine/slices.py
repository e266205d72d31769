"""Scoring the slices of a CT one by one, and what the scores of all say of the series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.findings import PartScore

if TYPE_CHECKING:
    import torch

Pictures = NDArray[np.float32]
"""(slices, channels, height, width) as the bundle's ``input`` asks, 0..1."""
Logits = NDArray[np.float32]
"""(slices, findings), in the bundle's order."""
SliceNetwork = Callable[[Pictures], Logits]
"""Looks at a batch of slices, each by itself."""

BATCH = 16
"""Slices at once: as many as keep a core busy, and few megabytes."""


@dataclass(frozen=True, slots=True)
class SeriesScore:
    """What the slices of a series say together."""

    score: PartScore
    leading: tuple[int, ...]
    """For each of the bundle's findings the slice, from 0, that speaks most for it."""


class SliceReader:
    """The network of one CT bundle on one device. Importing torch and transformers takes seconds."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        import torch  # noqa: PLC0415 (seconds; only who scores pays)

        from cds.engine.networks import image_network  # noqa: PLC0415

        self._torch = torch
        self._device = device
        self.bundle = bundle.expect("image")
        self._network = image_network(bundle).to(device)
        shape = (1, -1, 1, 1)
        self._mean, self._std = (torch.tensor(bundle.input[k], device=device).view(shape) for k in ("mean", "std"))

    def __call__(self, pictures: Pictures) -> Logits:
        spec = self.bundle.input
        if pictures.shape[1:] != (spec["channels"], spec["height"], spec["width"]):
            raise ModelError(f"the CT model reads slices of {spec['height']} x {spec['width']} pixels")
        x = self._torch.from_numpy(np.ascontiguousarray(pictures, dtype=np.float32)).to(self._device)
        with self._torch.inference_mode():
            logits = self._network(pixel_values=(x - self._mean) / self._std).logits
        return np.asarray(logits.float().cpu().numpy(), np.float32)


def score_series(bundle: Bundle, network: SliceNetwork, slices: Iterable[Pictures]) -> SeriesScore:
    """Score ``slices`` (each channels, height, width) and pool: the mean logit of the ``top_slices`` highest.

    Raises :class:`ModelError` where a score is no number.
    """
    logits = np.concatenate(list(_in_batches(network, slices)))
    if not np.isfinite(logits).all():
        raise ModelError(f"model bundle {bundle.version.name} gives scores that are no numbers")
    return SeriesScore(
        bundle.score(pooled(logits, int(bundle.input.get("top_slices", 1)))),
        tuple(int(slice_) for slice_ in logits.argmax(axis=0)),
    )


def pooled(logits: Logits, top: int) -> Sequence[float]:
    """One logit per finding: the mean of its ``top`` highest, or of all where there are fewer."""
    highest = np.sort(logits, axis=0)[-top:]
    return [float(logit) for logit in highest.mean(axis=0)]


def _in_batches(network: SliceNetwork, slices: Iterable[Pictures]) -> Iterator[Logits]:
    left = iter(slices)
    while batch := list(islice(left, BATCH)):
        yield network(np.stack(batch))
