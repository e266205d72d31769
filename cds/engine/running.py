"""The engine's two networks as this machine runs them best."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import nn
from transformers import AutoTokenizer

from cds.engine.batching import Batched
from cds.engine.bundles import Bundle
from cds.engine.device import torch_device
from cds.engine.fastest import fastest
from cds.engine.image import ImageReader, input_of
from cds.engine.local import LocalEngine
from cds.engine.network import Inputs, Network, TorchNetwork
from cds.engine.networks import ONNX_FILE, image_network, note_network
from cds.engine.note import NoteReader
from cds.engine.onnx_runtime import OnnxRuntimeNetwork, exported
from cds.engine.saliency import GradCam
from cds.engine.slices import SliceReader
from cds.settings import Settings

CPU_ROWS, GPU_ROWS = 16, 256
"""What goes through a network at once: on a CPU more of it gains nothing."""
SAMPLES = ("No pleural effusion.", "Large right pneumothorax with mediastinal shift; chest tube placed at once.")

log = logging.getLogger(__name__)


def prepare(bundle: Bundle, directory: Path, settings: Settings) -> None:
    """Try once how ``bundle`` runs fastest by one thread, and keep it in ``directory``; on a GPU there is nothing
    to try.

    For a process of its own: what it takes to try is more than it takes to run.
    """
    file = onnx_file(bundle, directory)
    if file.exists() or torch_device(settings.device).type != "cpu":
        return
    made = _better(bundle)
    log.info("%s runs by %s", bundle.version.name, "ONNX Runtime" if made else "torch")
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_bytes(made)
    unfinished.rename(file)


def onnx_file(bundle: Bundle, directory: Path) -> Path:
    """Of these very weights by these very libraries. An empty one says that torch is to run the bundle."""
    return directory / f"{bundle.version.digest[:32]}-{torch.__version__}-{onnxruntime.__version__}.onnx"


def begun(image: Bundle, note: Bundle, directory: Path, settings: Settings, threads: int) -> LocalEngine:
    """The engine, in the process that is to hold it: threads and devices do not survive a fork."""
    torch.set_num_threads(threads)
    networks = [_batched(bundle, directory, settings, threads) for bundle in (image, note)]
    explain = GradCam(image_network(image), _examples(image)[0]["pixel_values"])
    engine = LocalEngine(ImageReader(image, networks[0], explain), note, NoteReader.of(note, networks[1]))
    engine.warm_up()
    return engine


def ct_begun(bundles: Iterable[Bundle], directory: Path, settings: Settings, threads: int) -> list[SliceReader]:
    """What looks at CTs, in the same process."""
    return [SliceReader(bundle, _batched(bundle, directory, settings, threads)) for bundle in bundles]


def _batched(bundle: Bundle, directory: Path, settings: Settings, threads: int) -> Network:
    rows = CPU_ROWS if torch_device(settings.device).type == "cpu" else GPU_ROWS
    return Batched(_network(bundle, onnx_file(bundle, directory), settings.device, threads), rows=rows)


def _better(bundle: Bundle) -> bytes:
    """The bundle's network as ONNX, where that is faster and says the same; empty where it is not."""
    if (bundle.directory / ONNX_FILE).is_file():
        return b""
    module, examples = _module(bundle), _examples(bundle)
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


def _network(bundle: Bundle, onnx: Path, device: str, threads: int) -> Network:
    if onnx.exists() and onnx.stat().st_size:
        return OnnxRuntimeNetwork(str(onnx), threads)
    return TorchNetwork(_module(bundle), torch_device(device))


def _module(bundle: Bundle) -> nn.Module:
    return image_network(bundle) if bundle.version.kind == "image" else note_network(bundle)


def _examples(bundle: Bundle) -> Sequence[Inputs]:
    """Inputs of different sizes, where sizes may differ."""
    if bundle.version.kind == "image":
        shape = bundle.input["height"], bundle.input["width"]
        pictures = [np.random.default_rng(seed).random(shape, np.float32) for seed in range(3)]
        return [{"pixel_values": input_of(bundle, picture)} for picture in pictures]
    tokenizer: Any = AutoTokenizer.from_pretrained(bundle.directory, local_files_only=True)
    return [
        dict(tokenizer(texts, padding=True, return_tensors="np"))
        for texts in ([SAMPLES[0]] * CPU_ROWS, list(SAMPLES))
    ]
