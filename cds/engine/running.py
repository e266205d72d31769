"""The engine as this machine, or others that the settings name, run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from cds.deadline import NEVER, Deadline
from cds.engine.abreast import Abreast
from cds.engine.batching import Batched
from cds.engine.bundles import Bundle
from cds.engine.by_length import ByLength
from cds.engine.device import on_cpu
from cds.engine.filled import MOST_ROWS
from cds.engine.image import Explainer, ImageReader, Picture, black, input_of
from cds.engine.in_turn import InTurn
from cds.engine.kept import kept_file, loaded
from cds.engine.local import LocalEngine
from cds.engine.network import Network
from cds.engine.note import NoteReader
from cds.engine.onnx_runtime import OnnxRuntimeNetwork, OnnxSaliency
from cds.engine.remote import remote_networks
from cds.engine.sentence_scores import SentenceScores
from cds.engine.slices import SliceReader
from cds.errors import EngineError
from cds.settings import Settings

CPU_ROWS = {"image": 1, "note": 16}
"""What goes through a network at once. On a CPU several pictures drive each other out of the caches, and take
longer together than each by itself (docs/evaluation.md)."""


def begun(image: Bundle, note: Bundle, directory: Path, settings: Settings, threads: int) -> LocalEngine:
    """The engine, in the process that is to hold it: threads and devices do not survive a fork.

    ``directory``: where :func:`~cds.engine.prepare.prepare` keeps what it found. Raises
    :class:`~cds.errors.ModelError` where a model cannot be run.
    """
    if settings.engine_addresses:
        networks = remote_networks(settings, image, note)
    else:
        networks = _batched(image, directory, settings, threads), _batched(note, directory, settings, threads)
    reader = ImageReader(image, networks[0], _explained(image, directory, settings, threads))
    engine = LocalEngine(reader, note, NoteReader.of(note, networks[1], SentenceScores()))
    with suppress(EngineError):  # servers elsewhere may not be there yet
        engine.warm_up()
    return engine


def ct_begun(bundles: Iterable[Bundle], directory: Path, settings: Settings, threads: int) -> list[SliceReader]:
    """What looks at CTs, in the same process, wherever the other models run."""
    return [
        SliceReader(
            bundle,
            _batched(bundle, directory, settings, threads),
            _explained(bundle, directory, settings, threads),
        )
        for bundle in bundles
    ]


class Later:
    """What explains pictures, loaded when it is first asked: nobody who wants a score waits for it."""

    def __init__(self, load: Callable[[], Explainer]) -> None:
        self._load = load
        self._loaded: Explainer | None = None

    def __call__(self, pixel_values: Picture, output: int, deadline: Deadline = NEVER, /) -> Picture:
        """One call at a time."""
        self._loaded = self._loaded or self._load()
        return self._loaded(pixel_values, output, deadline)


def _batched(bundle: Bundle, directory: Path, settings: Settings, threads: int) -> Network:
    if not on_cpu(settings.device):
        return Batched(_by_torch(bundle, settings.device, threads), rows=MOST_ROWS)
    rows, onnx = CPU_ROWS[bundle.version.kind], kept_file(bundle, directory)
    network = loaded(onnx, partial(OnnxRuntimeNetwork, threads=threads, rows=rows))
    if network is None:
        return Batched(_by_length(bundle, _by_torch(bundle, settings.device, threads)), rows=rows)
    if rows > 1 or threads == 1:
        return Batched(_by_length(bundle, network), rows=rows)
    # What does not go through a network together goes through it side by side.
    return Batched(
        Abreast(network, OnnxRuntimeNetwork(str(onnx), threads=1, rows=rows)), rows=rows, abreast=threads
    )


def _by_length(bundle: Bundle, network: Network) -> Network:
    return ByLength(network) if bundle.version.kind == "note" else network


def _by_torch(bundle: Bundle, device: str, threads: int) -> Network:
    from cds.engine.on_device import network_on  # noqa: PLC0415 (seconds)

    _set_torch_threads(threads)
    return network_on(bundle, device)


def _explained(bundle: Bundle, directory: Path, settings: Settings, threads: int) -> Explainer:
    return InTurn(Later(partial(_explainer, bundle, kept_file(bundle, directory, "saliency"), settings, threads)))


def _explainer(image: Bundle, onnx: Path, settings: Settings, threads: int) -> Explainer:
    """On the CPU in any case: nobody waits for a map as for a score."""
    # One core: whoever wants a score has the others.
    if kept := loaded(onnx, partial(OnnxSaliency, threads=1)):
        return kept
    from cds.engine.networks import image_network  # noqa: PLC0415 (seconds)
    from cds.engine.saliency import GradCam  # noqa: PLC0415

    _set_torch_threads(threads)
    explain = GradCam(image_network(image), input_of(image, black(image)))
    # Its files were read anew, long after the others.
    image.unaltered()
    return explain


def _set_torch_threads(threads: int) -> None:
    import torch  # noqa: PLC0415 (seconds)

    torch.set_num_threads(threads)
