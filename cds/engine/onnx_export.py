"""Networks of torch, written as ONNX."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._decomp import get_decompositions
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from cds.engine.network import Inputs
from cds.engine.saliency import GradCam

_ATEN = torch.ops.aten
WRITTEN_OUT = [_ATEN.native_batch_norm, _ATEN.threshold_backward, _ATEN.silu_backward, _ATEN.hardtanh_backward]
"""Operations that ONNX has no word for, told by simpler ones."""
COPIES = [_ATEN._to_copy.default, _ATEN.detach.default, _ATEN.clone.default, _ATEN.alias.default]
"""Operations that change no number."""


def exported(module: nn.Module, example: Inputs) -> bytes:
    """A network of :mod:`cds.engine.networks` as ONNX, for batches and texts of any length.

    Raises whatever torch raises for one that it cannot export.
    """
    # The exporter leaves a module in the mode in which it was: not in evaluation, scores would be others.
    plain = _Plain(module, tuple(example)).eval()
    free = {name: _free(values.ndim) for name, values in example.items()} | {"logits": {0: "batch"}}
    return _written(plain, {name: torch.from_numpy(values) for name, values in example.items()}, "logits", free)


def exported_saliency(explain: GradCam, example: NDArray[np.float32], outputs: int) -> bytes:
    """Grad-CAM as ONNX: the way back from the logit to the last map is written out as a graph of its own.

    Of one picture (1, channels, height, width), and of which of ``outputs`` is ``chosen``: 1 there, else 0. Raises
    whatever torch raises for a network that it cannot export so.
    """
    chosen = torch.zeros(outputs)
    chosen[0] = 1.0
    inputs = {"pixel_values": torch.from_numpy(example), "chosen": chosen}

    def mapped(pixel_values: Tensor, chosen: Tensor) -> Tensor:
        return explain.map(pixel_values, lambda logits: (logits * chosen).sum())

    graph = make_fx(mapped, dict(get_decompositions(WRITTEN_OUT)))(*inputs.values())  # type: ignore[arg-type]
    return _written(_without(COPIES, graph), inputs, "saliency", {})


def _written(
    module: nn.Module, inputs: Mapping[str, Tensor], output: str, free: Mapping[str, Mapping[int, str]]
) -> bytes:
    written = io.BytesIO()
    with warnings.catch_warnings():
        # torch prefers its newer exporter, which is slower here and needs another package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            written,  # type: ignore[arg-type]
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes=free,
            dynamo=False,
        )
    return written.getvalue()


def _without(operations: Collection[object], graph: GraphModule) -> GraphModule:
    for node in graph.graph.nodes:
        if node.target in operations:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


class _Plain(nn.Module):
    """Takes its inputs in their order and gives the logits alone, as an exporter wants it."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module = module
        self._names = names

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.module(**dict(zip(self._names, inputs, strict=True))).logits


def _free(dimensions: int) -> dict[int, str]:
    """The batch, and of tokens their number."""
    return {0: "batch", 1: "tokens"} if dimensions == 2 else {0: "batch"}
