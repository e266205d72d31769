"""A bundle's network on a device: on a GPU the fastest way that gives the same scores, found when it is loaded."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ModelOutput

from cds.engine.bundles import Bundle
from cds.engine.device import torch_device
from cds.engine.examples import examples_for
from cds.engine.fastest import Probabilities, calibrated, fastest
from cds.engine.filled import MOST_ROWS, Filled, row_counts, shapes, token_counts
from cds.engine.network import Inputs, Network, TorchNetwork
from cds.engine.networks import network_of
from cds.engine.recorded import RecordedNetwork

PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)

log = logging.getLogger(__name__)


class Narrow(nn.Module):
    """A network that computes in floats of some precision, and takes those of 32 bits."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to(dtype)
        self._dtype = dtype

    def forward(self, **inputs: Tensor) -> ModelOutput:
        return self.network(
            **{name: of.to(self._dtype) if of.is_floating_point() else of for name, of in inputs.items()}
        )


def network_on(bundle: Bundle, wanted: str) -> Network:
    """``wanted`` as in :func:`~cds.engine.device.torch_device`; raises what that and ``network_of`` raise."""
    device, module = torch_device(wanted), network_of(bundle)
    if device.type != "cuda":
        return TorchNetwork(module, device)
    most_tokens = bundle.input.get("max_tokens", 0)
    name, network = fastest_on_gpu(module, examples_for(bundle), calibrated(bundle), device, most_tokens)
    log.info("logits of %s in %s", bundle.version.name, name)
    return network


def fastest_on_gpu(
    module: nn.Module,
    examples: Sequence[Inputs],
    probabilities: Probabilities,
    device: torch.device,
    most_tokens: int,
) -> tuple[str, Network]:
    """As it comes, in 32 bits, or recorded in any of :data:`PRECISIONS`, where that is faster and as right.

    How right is :data:`~cds.engine.fastest.PARITY`. ``most_tokens``: of a row; 0 of a network without tokens.
    """
    ways: dict[str, Network] = {"float32, as it comes": TorchNetwork(module, device)}
    for dtype in PRECISIONS:
        name = f"{dtype}, recorded"
        try:
            network = _recorded(Narrow(module, dtype), examples[0], device, most_tokens)
            network(examples[0])
        except Exception as failure:  # whatever torch and CUDA raise: a user's network may do anything
            log.warning("%s cannot be had (%s)", name, type(failure).__name__)
        else:
            ways[name] = network
    return fastest(ways, examples, probabilities, time.perf_counter)


def _recorded(module: nn.Module, example: Inputs, device: torch.device, most_tokens: int) -> Network:
    counts, lengths = row_counts(MOST_ROWS), token_counts(most_tokens)
    return Filled(RecordedNetwork(module.to(device), device, shapes(example, counts, lengths)), counts, lengths)
