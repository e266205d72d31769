"""Looking at a framed picture with an image network: what it says, and which places it goes by."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.network import Network, TorchNetwork, numbers
from cds.errors import ModelError, NoSaliency
from cds.findings import PartScore

Picture = NDArray[np.float32]
"""(height, width) as a bundle's ``input`` asks, 0..1, dense tissue bright."""


class Explainer(Protocol):
    """Shows which places of a picture a network goes by (:class:`~cds.engine.saliency.GradCam`)."""

    def __call__(self, pixel_values: NDArray[np.float32], output: int, deadline: Deadline = NEVER, /) -> Picture:
        """Raise :class:`~cds.errors.EngineError` where it cannot be had by ``deadline``."""
        ...


def unexplained(pixel_values: NDArray[np.float32], output: int, deadline: Deadline = NEVER) -> Picture:
    """Of a network that runs elsewhere."""
    raise NoSaliency("not available: this model runs where it cannot be looked into")


class ImageReader:
    """One image bundle, its network and what explains it."""

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

    def score(self, pixels: Picture, deadline: Deadline = NEVER) -> PartScore:
        """Raises what the network raises, and :class:`ModelError` where it gives no numbers."""
        logits = numbers(self._network({"pixel_values": input_of(self.bundle, pixels)}, deadline))
        return self.bundle.score(logits[0].tolist())

    def explain(self, pixels: Picture, finding: str, deadline: Deadline = NEVER) -> Picture:
        """How much each of ``pixels`` speaks for ``finding``: of the same shape, 0..1, by Grad-CAM.

        Raises :class:`~cds.errors.NoSaliency` for a network that has no last convolutional map, such as one in an
        ONNX file, :class:`ModelError` for a finding that it does not look for, and what the explainer raises.
        """
        return self._explain(input_of(self.bundle, pixels), self.bundle.place_of(finding), deadline)

    def warm_up(self) -> None:
        self.score(black(self.bundle))


def black(bundle: Bundle) -> Picture:
    """A picture with nothing on it, of the size that ``bundle`` asks for."""
    return np.zeros((bundle.input["height"], bundle.input["width"]), np.float32)


def input_of(bundle: Bundle, pixels: Picture) -> NDArray[np.float32]:
    """(1, channels, height, width), normalised as the bundle's network was trained."""
    spec = bundle.input
    if pixels.shape != (spec["height"], spec["width"]):
        raise ModelError(f"the image model reads {spec['height']} x {spec['width']} pixels")
    mean, std = (np.reshape(np.float32(spec[name]), (-1, 1, 1)) for name in ("mean", "std"))
    channels = np.broadcast_to(pixels.astype(np.float32, copy=False), (spec["channels"], *pixels.shape))
    return np.ascontiguousarray((channels - mean) / std)[np.newaxis]
