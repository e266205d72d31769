"""Before the models run: trying once how each runs fastest on a CPU.

For a process of its own: what it takes to try is more than it takes to run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from cds.engine.bundles import Bundle
from cds.engine.fastest import fastest
from cds.engine.image import input_of
from cds.engine.network import Inputs, Network, TorchNetwork
from cds.engine.networks import ONNX_FILE, network_of
from cds.engine.onnx_runtime import OnnxRuntimeNetwork, exported, kept_file

ROWS = 16
SAMPLES = ("No pleural effusion.", "Large right pneumothorax with mediastinal shift; chest tube placed at once.")

log = logging.getLogger(__name__)


def prepare(bundle: Bundle, directory: Path) -> None:
    """Keep in ``directory`` the ONNX of ``bundle``, where ONNX Runtime runs it faster with the same scores.

    It is tried with one thread: threads that wait for each other show how busy the machine is. An empty file says
    that torch is to run the bundle.
    """
    file = kept_file(bundle, directory)
    if file.exists():
        return
    made = _better(bundle)
    log.info("%s runs by %s", bundle.version.name, "ONNX Runtime" if made else "torch")
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_bytes(made)
    unfinished.rename(file)


def examples_for(bundle: Bundle) -> Sequence[Inputs]:
    """Inputs of a bundle's network; of different sizes, where sizes may differ."""
    if bundle.version.kind == "image":
        shape = bundle.input["height"], bundle.input["width"]
        pictures = [np.random.default_rng(seed).random(shape, np.float32) for seed in range(3)]
        return [{"pixel_values": input_of(bundle, picture)} for picture in pictures]
    tokenizer: Any = AutoTokenizer.from_pretrained(bundle.directory, local_files_only=True)
    several = ([SAMPLES[0]] * ROWS, list(SAMPLES))
    return [dict(tokenizer(texts, padding=True, return_tensors="np")) for texts in several]


def _better(bundle: Bundle) -> bytes:
    """The bundle's network as ONNX, or nothing where it had better stay with torch."""
    if (bundle.directory / ONNX_FILE).is_file():
        return b""
    module, examples = network_of(bundle), examples_for(bundle)
    try:
        onnx = exported(module, examples[0])
        ways: Mapping[str, Network] = {
            "torch": TorchNetwork(module, torch.device("cpu")),
            "ONNX Runtime": OnnxRuntimeNetwork(onnx, threads=1),
        }
    except Exception as failure:  # whatever they raise: a user's network may do anything
        log.info("%s cannot be had as ONNX (%s)", bundle.version.name, type(failure).__name__)
        return b""
    name, _ = fastest(ways, examples)
    return onnx if name == "ONNX Runtime" else b""
