"""Before the models run: trying once how each runs fastest on a CPU.

For a process of its own: what it takes to try is more than it takes to run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from cds.engine.bundles import Bundle
from cds.engine.examples import examples_for
from cds.engine.fastest import calibrated, fastest
from cds.engine.image import Explainer, black, input_of
from cds.engine.kept import What, keep, kept_file
from cds.engine.network import Network, TorchNetwork
from cds.engine.networks import ONNX_FILE, network_of
from cds.engine.onnx_export import exported, exported_saliency
from cds.engine.onnx_runtime import OnnxRuntimeNetwork, OnnxSaliency
from cds.engine.saliency import GradCam

SAME_MAP = 0.01
"""Places of a map, 0..1, may differ so much between torch and ONNX Runtime."""

log = logging.getLogger(__name__)


def prepare(bundle: Bundle, directory: Path, what: What = "logits") -> None:
    """Keep in ``directory`` the ONNX of ``bundle``, where ONNX Runtime gives the same: scores, if faster, or maps.

    It is tried with one thread: threads that wait for each other show how busy the machine is. An empty file says
    that torch is to compute it. Raises :class:`~cds.errors.ModelError` where the bundle cannot be run, or was
    replaced meanwhile: what is kept is kept by its digest.
    """
    file = kept_file(bundle, directory, what)
    if file.exists():
        return
    made = {"logits": _better, "saliency": _saliency}[what](bundle)
    bundle.unaltered()
    log.info("%s of %s by %s", what, bundle.version.name, "ONNX Runtime" if made else "torch")
    keep(made, file)


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
    name, _ = fastest(ways, examples, calibrated(bundle), time.process_time)
    return onnx if name == "ONNX Runtime" else b""


def _saliency(bundle: Bundle) -> bytes:
    """The bundle's Grad-CAM as ONNX, or nothing where it cannot be had so."""
    example = input_of(bundle, black(bundle))
    explain = GradCam(network_of(bundle), example)
    if not explain.available:
        return b""
    try:
        onnx = exported_saliency(explain, example, len(bundle.findings))
        off = _maps_apart(explain, OnnxSaliency(onnx, threads=1), bundle)
    except Exception as failure:  # as above
        log.info("what %s goes by cannot be had as ONNX (%s)", bundle.version.name, type(failure).__name__)
        return b""
    return onnx if off <= SAME_MAP else b""


def _maps_apart(one: Explainer, other: Explainer, bundle: Bundle) -> float:
    """The largest difference of a place, over some findings of some pictures; no number is no map."""
    return max(
        float(np.abs(one(example["pixel_values"], output) - other(example["pixel_values"], output)).max())
        for output, example in enumerate(examples_for(bundle)[: len(bundle.findings)])
    )
