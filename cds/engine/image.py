"""Looking at a framed picture with an image network: what it says, and which places it goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.findings import PartScore

if TYPE_CHECKING:
    import torch


class ImageReader:
    """One image bundle on one device.

    Importing torch and transformers takes seconds, so it happens on construction, not on import.
    """

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        import torch  # noqa: PLC0415 (seconds; only who scores pays)

        from cds.engine.networks import image_network  # noqa: PLC0415
        from cds.engine.saliency import GradCam  # noqa: PLC0415

        self._torch = torch
        self.bundle = bundle.expect("image")
        self._device = device
        # Convolutions read neighbouring channels together: nearly twice as fast on a CPU.
        network = image_network(bundle).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: torch.nn.Module = network
        self._grad_cam = GradCam(network, self._input(self._black()))

    def score(self, pixels: NDArray[np.float32]) -> PartScore:
        """``pixels``: (height, width) as the bundle's ``input`` asks, 0..1, dense tissue bright."""
        with self._torch.inference_mode():
            logits = self._network(pixel_values=self._input(pixels)).logits[0]
        return self.bundle.score(logits.float().tolist())

    def explain(self, pixels: NDArray[np.float32], finding: str) -> NDArray[np.float32]:
        """How much each of ``pixels`` speaks for ``finding``: of the same shape, 0..1, by Grad-CAM.

        Raises :class:`~cds.errors.NoSaliency` for a network that has no last convolutional map, such as one in an
        ONNX file, and :class:`ModelError` for a finding that it does not look for.
        """
        if finding not in self.bundle.findings:
            raise ModelError(f"model bundle {self.bundle.version.name} does not look for {finding}")
        return self._grad_cam(self._input(pixels), self.bundle.findings.index(finding))

    def warm_up(self) -> None:
        self.score(self._black())

    def _black(self) -> NDArray[np.float32]:
        return np.zeros((self.bundle.input["height"], self.bundle.input["width"]), np.float32)

    def _input(self, pixels: NDArray[np.float32]) -> torch.Tensor:
        spec = self.bundle.input
        if pixels.shape != (spec["height"], spec["width"]):
            raise ModelError(f"the image model reads {spec['height']} x {spec['width']} pixels")
        x = self._torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32)).to(self._device)
        x = x.expand(1, spec["channels"], *pixels.shape)
        mean, std = (self._torch.tensor(spec[k], device=self._device).view(1, -1, 1, 1) for k in ("mean", "std"))
        return (x - mean) / std
