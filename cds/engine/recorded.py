"""A network on a GPU as CUDA graphs, one for each shape: one call of the driver in the place of hundreds.

Inputs and logits pass through pinned memory, from which a GPU reads by itself.
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from cds.deadline import NEVER, Deadline
from cds.engine.network import Inputs, Logits, TorchNetwork

WARM_UP = 3
"""Runs before a recording: libraries choose how they compute, and fetch memory, which cannot be recorded."""
_RECORDING = threading.Lock()
"""A process may record one graph at a time (torch.cuda.graph), whichever network it is of."""
_LEFT: defaultdict[torch.device, deque[torch.cuda.Stream]] = defaultdict(deque)
"""Streams of networks that are gone. torch has 32, and gives the first anew as the 33rd: what its network plays
while another records there would become a part of the recording."""
Shape = tuple[tuple[str, tuple[int, ...]], ...]


class RecordedNetwork:
    """From any thread, one call at a time. What has none of the recorded shapes is run as it comes."""

    def __init__(self, module: nn.Module, device: torch.device, shapes: Iterable[Inputs]) -> None:
        """Record each of ``shapes``, the largest first, for all of them compute in the same memory.

        Raises what torch raises for a network that cannot be recorded, such as one that looks at its results.
        """
        self._plain = TorchNetwork(module.eval(), device)
        self._turn = threading.Lock()
        self._stream = _stream_alone(device)
        pool = torch.cuda.graph_pool_handle()
        with torch.inference_mode():
            self._recordings = {
                _shape(inputs): _Recording(module, inputs, device, self._stream, pool) for inputs in shapes
            }
        # One on which a recording failed is nobody's any more.
        weakref.finalize(self, _LEFT[device].append, self._stream)

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """Raise what torch raises."""
        recording = self._recordings.get(_shape(inputs))
        with self._turn, torch.inference_mode(), torch.cuda.stream(self._stream):
            return recording.played(inputs) if recording else self._plain(inputs)


class _Recording:
    """Of one shape. Logits are copied out before the next is played: it may write over them."""

    def __init__(
        self, module: nn.Module, example: Inputs, device: torch.device, stream: torch.cuda.Stream, pool: Any
    ) -> None:
        self._stream = stream
        self._pinned = {name: torch.from_numpy(values).pin_memory() for name, values in example.items()}
        self._inputs = {name: values.to(device) for name, values in self._pinned.items()}
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._run(module)
        stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        # Other threads score by other networks meanwhile: what they do is no part of it, and must not break it.
        recording = torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local")
        with _RECORDING, recording:
            self._logits = self._run(module)
        self._answer = torch.empty(self._logits.shape, dtype=torch.float32, pin_memory=True)

    def played(self, inputs: Inputs) -> Logits:
        for name, values in inputs.items():
            self._pinned[name].copy_(torch.from_numpy(values))
            self._inputs[name].copy_(self._pinned[name], non_blocking=True)
        self._graph.replay()
        self._answer.copy_(self._logits, non_blocking=True)
        self._stream.synchronize()
        logits: Logits = self._answer.numpy().copy()
        return logits

    def _run(self, module: nn.Module) -> Tensor:
        logits: Tensor = module(**self._inputs).logits.float()
        return logits


def _stream_alone(device: torch.device) -> torch.cuda.Stream:
    """One of no network that is there, of which there may be 32."""
    with suppress(IndexError):
        return _LEFT[device].pop()
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _shape(inputs: Inputs) -> Shape:
    return tuple((name, inputs[name].shape) for name in sorted(inputs))
