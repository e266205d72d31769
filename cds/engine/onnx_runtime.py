"""ONNX Runtime: the same network, two to three times as fast on a CPU as torch runs it (docs/evaluation.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from cds.deadline import NEVER, Deadline
from cds.engine.network import Inputs, Logits
from cds.errors import ModelError

MANY = 256
QUIET = 4
"""Only what is fatal: a file's own words do not belong in our log."""

# Some builds would tell their maker how they are used.
onnxruntime.disable_telemetry_events()


class OnnxRuntimeNetwork:
    """A network in ONNX, the bytes of a file or its path; begun, it is never too late."""

    def __init__(self, model: bytes | str, threads: int, *, rows: int = MANY) -> None:
        """``rows``: as many go through at once, whatever the batch; what the most took is kept for the next.

        Raises whatever ONNX Runtime raises for a model that it cannot run: its classes have no common base.
        """
        self._session = session(model, threads)
        self._rows = rows

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        count = len(next(iter(inputs.values())))
        parts = [slice(first, first + self._rows) for first in range(0, count, self._rows)]
        logits = [self._session.run(None, {name: of[part] for name, of in inputs.items()})[0] for part in parts]
        return np.concatenate(logits, dtype=np.float32)


class OnnxSaliency:
    """Grad-CAM as a network in ONNX (:func:`cds.engine.onnx_export.exported_saliency`), from any thread."""

    def __init__(self, model: bytes | str, threads: int) -> None:
        """Raises as :class:`OnnxRuntimeNetwork` does."""
        self._session = session(model, threads)
        self._outputs: int = self._session.get_inputs()[1].shape[0]

    def __call__(
        self, pixel_values: NDArray[np.float32], output: int, deadline: Deadline = NEVER
    ) -> NDArray[np.float32]:
        """As :meth:`cds.engine.saliency.GradCam.__call__`."""
        inputs = {"pixel_values": pixel_values, "chosen": np.eye(self._outputs, dtype=np.float32)[output]}
        return np.asarray(self._session.run(None, inputs)[0], np.float32)


def row_of(session: Any, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """(outputs,), what a file's first output says of one picture (1, channels, height, width).

    Raises :class:`ModelError` where it cannot be run, or says anything else: a file need not do what it declares.
    """
    try:
        said = session.run(None, {session.get_inputs()[0].name: picture})[0]
    except Exception as wrong:  # onnxruntime raises classes of its own that have no common base
        raise ModelError(f"the ONNX file cannot be run ({type(wrong).__name__})") from None
    if not isinstance(said, np.ndarray) or said.dtype.kind != "f" or said.size != max(said.shape, default=0):
        raise ModelError("the first output of the ONNX file is no row of numbers: it must be (batch, outputs)")
    return said.reshape(-1).astype(np.float32)


def session(model: bytes | str, threads: int) -> Any:
    """A session on the CPU that says nothing; raises as :class:`OnnxRuntimeNetwork` does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = QUIET
    # Threads that wait for more work by turning in circles take the cores from whoever has some.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
