"""An image classifier in one ONNX file: (batch, channels, height, width) in, (batch, outputs) out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from cds.engine.bundles import MOST_SIDE
from cds.engine.networks import ONNX_FILE
from cds.engine.onnx_runtime import row_of, session
from cds.errors import ModelError
from cds.models.densenet import IMAGENET_MEAN, IMAGENET_STD
from cds.models.source import Source

PROBABILITIES = ("Sigmoid", "Softmax")
"""Whose outputs need nothing more."""
RESHAPING = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""What may come after them."""


def read(file: Path, labels: Sequence[str] | None, *, side: int | None) -> Source:
    """``side`` is needed where the file leaves height and width open.

    Raises :class:`ModelError` where it does not load, is of another shape, or its outputs have no names.
    """
    graph = _session(file)
    inputs = graph.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        raise ModelError(f"{file.name} must read one float tensor (batch, channels, height, width)")
    batch, channels, height, width = inputs[0].shape
    if isinstance(batch, int) and batch != 1:
        raise ModelError(f"{file.name} reads {batch} pictures at once; export it with the batch left open, or 1")
    if channels not in (1, 3):
        raise ModelError(f"{file.name} reads {channels} channels; 1 or 3 must come after the batch")
    height, width = (size if isinstance(size, int) else side for size in (height, width))
    if not height or not width:
        raise ModelError(f"{file.name} leaves the size of its input open; give it with --size")
    if max(height, width) > MOST_SIDE:
        raise ModelError(f"{file.name} reads {height} x {width} pixels; {MOST_SIDE} a side are the most")
    # What it declares of its outputs may be open, or wrong: what it gives is not.
    count = len(row_of(graph, np.zeros((1, channels, height, width), np.float32)))
    if labels is None:
        raise ModelError(f"{file.name} has {count} outputs without names; name them with --labels")
    if len(labels) != count:
        raise ModelError(f"there are {len(labels)} labels for {count} outputs")
    return Source(
        kind="image",
        form="ONNX file",
        labels=tuple(labels),
        input={
            "height": height,
            "width": width,
            "channels": channels,
            "mean": [0.5] if channels == 1 else IMAGENET_MEAN,
            "std": [0.5] if channels == 1 else IMAGENET_STD,
            "fit": "fill",
            "contrast": "keep",
        },
        activation="none" if _ends_in_probabilities(file) else "sigmoid",
        write=lambda directory: _copy(file, directory),
    )


def _ends_in_probabilities(file: Path) -> bool:
    """Whether its graph has the sigmoid or softmax already: another would make 0.5 to 0.73 of 0 to 1."""
    graph = onnx.load(file, load_external_data=False).graph
    makers = {name: node for node in graph.node for name in node.output}
    last = makers.get(graph.output[0].name)
    while last is not None and last.op_type in RESHAPING:
        last = makers.get(last.input[0])
    return last is not None and last.op_type in PROBABILITIES


def _copy(file: Path, directory: Path) -> None:
    shutil.copyfile(file, directory / ONNX_FILE)


def _session(file: Path) -> Any:
    try:
        # From memory: a model that keeps its weights in other files, anywhere on the disk, does not load.
        return session(file.read_bytes(), threads=1)
    except Exception as wrong:  # onnxruntime raises classes of its own that have no common base
        raise ModelError(f"{file.name} is no ONNX file that loads ({type(wrong).__name__})") from None
