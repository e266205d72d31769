"""Scoring the slices of a CT one by one, and what the scores of all say of the series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.image import Explainer, Picture, black, input_of, unexplained
from cds.engine.network import Logits, Network, TorchNetwork, numbers
from cds.errors import ModelError
from cds.findings import PartScore

Pictures = NDArray[np.float32]
"""(slices, channels, height, width) as the bundle's ``input`` asks, 0..1."""
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
    """One CT bundle and its network."""

    def __init__(self, bundle: Bundle, network: Network, explain: Explainer = unexplained) -> None:
        self.bundle = bundle.expect("image")
        self._network = network
        self._explain = explain

    @classmethod
    def load(cls, bundle: Bundle, device: str = "auto") -> Self:
        """In this process. Importing torch and transformers takes seconds, so it happens here, not on import."""
        from cds.engine.device import torch_device  # noqa: PLC0415
        from cds.engine.networks import image_network  # noqa: PLC0415
        from cds.engine.saliency import GradCam  # noqa: PLC0415

        network = TorchNetwork(image_network(bundle.expect("image")), torch_device(device))
        return cls(bundle, network, GradCam(network.module, input_of(bundle, black(bundle))))

    def __call__(self, pictures: Pictures, deadline: Deadline = NEVER) -> Logits:
        """Raises what the network raises."""
        return self._network({"pixel_values": self._normalised(pictures)}, deadline)

    def explain(self, picture: Pictures, finding: str, deadline: Deadline = NEVER) -> Picture:
        """How much each place of one slice (channels, height, width) speaks for ``finding``: as of a film.

        Raises what :meth:`~cds.engine.image.ImageReader.explain` raises.
        """
        return self._explain(self._normalised(picture[np.newaxis]), self.bundle.place_of(finding), deadline)

    def _normalised(self, pictures: Pictures) -> Pictures:
        spec = self.bundle.input
        if pictures.shape[1:] != (spec["channels"], spec["height"], spec["width"]):
            raise ModelError(f"the CT model reads slices of {spec['height']} x {spec['width']} pixels")
        mean, std = (np.reshape(np.float32(spec[name]), (-1, 1, 1)) for name in ("mean", "std"))
        return np.ascontiguousarray((pictures - mean) / std, dtype=np.float32)


def score_series(bundle: Bundle, network: SliceNetwork, slices: Iterable[Pictures]) -> SeriesScore:
    """Score ``slices`` (each channels, height, width) and pool: the mean logit of the ``top_slices`` highest.

    Raises :class:`ModelError` where a score is no number.
    """
    logits = numbers(np.concatenate(list(_in_batches(network, slices))))
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
