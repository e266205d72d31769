"""``cds engine``: everything loaded once, then one process for the models and one for each core."""

from __future__ import annotations

import multiprocessing
import os
from functools import partial
from pathlib import Path

from cds.engine.bundles import Bundle
from cds.engine.device import torch_device
from cds.engine.process.core import compute
from cds.engine.process.server import Server
from cds.engine.process.supervisor import supervise
from cds.inference.engine import Models, by_models
from cds.inference.reading import Reading, on_cores
from cds.inference.socket import its_turn, made, socket_of
from cds.keys import Keys
from cds.settings import Settings


def run(settings: Settings) -> None:
    """Serve until we are interrupted; raises :class:`~cds.errors.SightlineError` where a model cannot be used."""
    path = socket_of(settings)
    made(path)
    with its_turn(path):
        _serve(settings, path)


def _serve(settings: Settings, path: Path) -> None:
    # What the tokenizers and torch would start does not survive a fork, which takes one thread along.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch  # noqa: PLC0415 (seconds)

    torch.set_num_threads(1)
    # A second too, which a restart of the models' process then does not take.
    from cds.engine.running import begun, ct_begun  # noqa: PLC0415

    kept = settings.home() / "engine"
    kept.mkdir(mode=0o700, exist_ok=True)
    models = Models.in_use(settings)
    cores = os.cpu_count() or 1
    threads = settings.torch_threads or cores
    if torch_device(settings.device).type == "cpu":
        run_here = () if settings.engine_addresses else (models.image, models.note)
        for bundle in (*run_here, *models.ct):
            _prepare(bundle, kept)
    reading = on_cores(Reading.of(models, Keys.load(settings).pseudonym))

    def hold_models() -> None:
        engine = begun(models.image, models.note, kept, settings, threads)
        ct = ct_begun(models.ct, kept, settings, threads)
        Server(by_models(engine, ct), frozenset(reading), cores, models.digests).serve(path)

    core = partial(compute, path, reading)
    supervise({"models": hold_models} | {f"core {number}": core for number in range(1, cores + 1)})


def _prepare(bundle: Bundle, kept: Path) -> None:
    """In a process that ends after it: what it imports and tries nobody else needs."""
    from cds.engine.onnx_runtime import kept_file  # noqa: PLC0415 (loaded by now)

    if not kept_file(bundle, kept).exists():
        process = multiprocessing.get_context("fork").Process(target=_prepare_here, args=(bundle, kept))
        process.start()
        process.join()


def _prepare_here(bundle: Bundle, kept: Path) -> None:
    from cds.engine.prepare import prepare  # noqa: PLC0415 (seconds)

    prepare(bundle, kept)
