"""The engine as this machine, or others that the settings name, run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch

from cds.engine.batching import Batched
from cds.engine.bundles import Bundle
from cds.engine.device import torch_device
from cds.engine.image import Explainer, ImageReader, Picture, black, input_of
from cds.engine.local import LocalEngine
from cds.engine.network import Network, TorchNetwork
from cds.engine.note import NoteReader
from cds.engine.onnx_runtime import OnnxRuntimeNetwork, kept_file
from cds.engine.remote import remote_networks
from cds.engine.slices import SliceReader
from cds.errors import EngineError
from cds.settings import Settings

CPU_ROWS, GPU_ROWS = 16, 256
"""What goes through a network at once: on a CPU more of it gains nothing."""


def begun(image: Bundle, note: Bundle, directory: Path, settings: Settings, threads: int) -> LocalEngine:
    """The engine, in the process that is to hold it: threads and devices do not survive a fork.

    ``directory``: where :func:`~cds.engine.prepare.prepare` keeps what it found. Raises
    :class:`~cds.errors.ModelError` where a model cannot be run.
    """
    torch.set_num_threads(threads)
    if settings.engine_addresses:
        networks = remote_networks(settings, image, note)
    else:
        networks = _batched(image, directory, settings, threads), _batched(note, directory, settings, threads)
    reader = ImageReader(image, networks[0], Later(partial(_explainer, image)))
    engine = LocalEngine(reader, note, NoteReader.of(note, networks[1]))
    with suppress(EngineError):  # servers elsewhere may not be there yet
        engine.warm_up()
    return engine


def ct_begun(bundles: Iterable[Bundle], directory: Path, settings: Settings, threads: int) -> list[SliceReader]:
    """What looks at CTs, in the same process, wherever the other models run."""
    return [
        SliceReader(bundle, _batched(bundle, directory, settings, threads), Later(partial(_explainer, bundle)))
        for bundle in bundles
    ]


class Later:
    """What explains pictures, loaded in a thread of its own: nobody who wants a score waits for it."""

    def __init__(self, load: Callable[[], Explainer]) -> None:
        self._loaded: Future[Explainer] = ThreadPoolExecutor(1, "explainer").submit(load)

    def __call__(self, pixel_values: Picture, output: int, /) -> Picture:
        return self._loaded.result()(pixel_values, output)


def _batched(bundle: Bundle, directory: Path, settings: Settings, threads: int) -> Network:
    rows = CPU_ROWS if torch_device(settings.device).type == "cpu" else GPU_ROWS
    return Batched(_here(bundle, kept_file(bundle, directory), settings.device, threads), rows=rows)


def _here(bundle: Bundle, onnx: Path, device: str, threads: int) -> Network:
    if onnx.exists() and onnx.stat().st_size and torch_device(device).type == "cpu":
        return OnnxRuntimeNetwork(str(onnx), threads)
    from cds.engine.networks import network_of  # noqa: PLC0415 (seconds)

    return TorchNetwork(network_of(bundle), torch_device(device))


def _explainer(image: Bundle) -> Explainer:
    from cds.engine.networks import image_network  # noqa: PLC0415 (seconds)
    from cds.engine.saliency import GradCam  # noqa: PLC0415

    return GradCam(image_network(image), input_of(image, black(image)))
