"""Grad-CAM: which places of a picture speak for a finding (Selvaraju et al., ICCV 2017).

Each channel of the network's last map counts as much as the finding's logit rises with it. What the channels say
together, where it is above zero, is the map; it has the grid of the last map, 7 x 7 for a picture of 224 x 224.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cds.deadline import NEVER, Deadline
from cds.errors import NoSaliency


class GradCam:
    """Explains one network, from any thread, while other threads score with it."""

    def __init__(self, network: nn.Module, example: NDArray[np.float32]) -> None:
        """``example``: (1, channels, height, width), as the network reads it."""
        self._network = network.requires_grad_(False)
        self._device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
        self._of_thread = threading.local()
        last = last_map(network, self._moved(example))
        if last is not None:
            last.register_forward_hook(self._held)
        self.available = last is not None
        """Whether the network has a last map."""

    def __call__(
        self, pixel_values: NDArray[np.float32], output: int, deadline: Deadline = NEVER
    ) -> NDArray[np.float32]:
        """(height, width) of ``pixel_values``, 1 where most speaks for that output; all 0 where nothing does.

        Raises :class:`NoSaliency` where the network is not convolutional, or does not show its last map; begun, it
        is never too late.
        """
        if not self.available:
            raise NoSaliency("not available: this model has no last convolutional map to look at")
        return np.asarray(self.map(self._moved(pixel_values), lambda logits: logits[0, output]).cpu(), np.float32)

    def map(self, pixel_values: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """The same in tensors, where there is a last map; ``choose`` takes the logit out of all (1, outputs)."""
        self._of_thread.watching = True
        try:
            with torch.enable_grad():
                logit = choose(self._network(pixel_values=pixel_values).logits)
                maps = self._of_thread.maps
                (slopes,) = torch.autograd.grad(logit, maps)
        finally:
            self._of_thread.watching, self._of_thread.maps = False, None
        return _scaled(maps.detach(), slopes, pixel_values.shape[2:])

    def _moved(self, pixel_values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(pixel_values).to(self._device)

    def _held(self, module: nn.Module, _: Any, maps: Tensor) -> Tensor | None:
        """Only from here on is a gradient kept, so that explaining costs little more than scoring."""
        if not getattr(self._of_thread, "watching", False):
            return None
        self._of_thread.maps = maps.detach().requires_grad_()
        # A copy goes on: what follows may write into it.
        return self._of_thread.maps.clone()  # type: ignore[no-any-return]


def last_map(network: nn.Module, example: Tensor) -> nn.Module | None:
    """The module whose output is the last map (1, channels, rows, columns) before the logits.

    None where there is none, and for a network that cuts the picture into tokens (1, tokens, channels): what such
    a network reads of the picture, it reads before there are tokens.
    """
    given: list[tuple[nn.Module, torch.Size]] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            given.append((module, output.shape))

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.inference_mode():
            network(pixel_values=example)
    finally:
        for hook in hooks:
            hook.remove()
    if any(len(shape) == 3 for _, shape in given):
        return None
    maps = (module for module, shape in reversed(given) if len(shape) == 4 and min(shape[2:]) > 1)
    return next(maps, None)


def _scaled(maps: Tensor, slopes: Tensor, size: Sequence[int]) -> Tensor:
    spoken = functional.relu((slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True))
    spoken = spoken / spoken.max().clamp(min=torch.finfo(spoken.dtype).tiny)
    return functional.interpolate(spoken, list(size), mode="bilinear", align_corners=False)[0, 0]
