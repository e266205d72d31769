"""A model's network, wherever it runs: arrays in by the names of its inputs, one row of logits out for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cds.deadline import NEVER, Deadline
from cds.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

Inputs = Mapping[str, NDArray[Any]]
"""By name: ``pixel_values`` (batch, channels, height, width) float32 of an image network; ``input_ids``,
``attention_mask`` and ``token_type_ids``, each (batch, tokens) int64, of a note network."""
MASK = "attention_mask"
"""An input of this name says that the others are tokens: shorter rows are filled up, and masked."""
Logits = NDArray[np.float32]
"""(batch, findings), in the order of the bundle's findings."""


def numbers(logits: Logits) -> Logits:
    """Raise :class:`ModelError` where one is none: what came of it would be neither high nor in doubt, so low."""
    if not np.isfinite(logits).all():
        raise ModelError("the model gives scores that are no probabilities")
    return logits


class Network(Protocol):
    """Called from any thread."""

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """Raise :class:`~cds.errors.EngineError` where it cannot be had, or not by ``deadline``."""
        ...


class TorchNetwork:
    """A network of :mod:`cds.engine.networks` on a device of this machine; begun, it is never too late."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        import torch  # noqa: PLC0415 (seconds; only who scores pays)

        self._torch = torch
        self._device = device
        self.module = module.to(device)

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        with self._torch.inference_mode():
            moved = {name: self._torch.from_numpy(values).to(self._device) for name, values in inputs.items()}
            logits: Logits = self.module(**moved).logits.float().cpu().numpy()
        return logits
