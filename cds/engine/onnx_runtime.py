"""ONNX Runtime: the same network, two to three times as fast on a CPU as torch runs it (docs/evaluation.md)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import nn

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.network import Inputs, Logits

QUIET = 4
"""Only what is fatal: a file's own words do not belong in our log."""


class OnnxRuntimeNetwork:
    """A network in ONNX, the bytes of a file or its path; begun, it is never too late."""

    def __init__(self, model: bytes | str, threads: int) -> None:
        """Raises whatever ONNX Runtime raises for a model that it cannot run: its classes have no common base."""
        self._session = session(model, threads)

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        logits: Logits = np.asarray(self._session.run(None, dict(inputs))[0], np.float32)
        return logits


def session(model: bytes | str, threads: int) -> Any:
    """A session on the CPU that says nothing; raises as :class:`OnnxRuntimeNetwork` does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = QUIET
    # Threads that wait for more work by turning in circles take the cores from whoever has some.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def kept_file(bundle: Bundle, directory: Path) -> Path:
    """Where the ONNX of these very weights, made by these very libraries, is kept."""
    return directory / f"{bundle.version.digest[:32]}-{torch.__version__}-{onnxruntime.__version__}.onnx"


def exported(module: nn.Module, example: Inputs) -> bytes:
    """A network of :mod:`cds.engine.networks` as ONNX, for batches and texts of any length.

    Raises whatever torch raises for one that it cannot export.
    """
    written = io.BytesIO()
    with warnings.catch_warnings():
        # torch prefers its newer exporter, which is slower here and needs another package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            # The exporter leaves a module in the mode in which it was: not in evaluation, scores would be others.
            _Plain(module, tuple(example)).eval(),
            tuple(torch.from_numpy(values) for values in example.values()),
            written,  # type: ignore[arg-type]
            input_names=list(example),
            output_names=["logits"],
            dynamic_axes={name: _free(values.ndim) for name, values in example.items()} | {"logits": {0: "batch"}},
            dynamo=False,
        )
    return written.getvalue()


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
