"""``cds engine``: everything loaded once, then one process for the models and one for each core."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cds.engine.bundles import Bundle
from cds.engine.device import on_cpu
from cds.engine.kept import What, kept_file
from cds.engine.process.core import compute
from cds.engine.process.pulse import Pulse
from cds.engine.process.server import Server
from cds.engine.process.supervisor import supervise
from cds.errors import ModelError
from cds.inference.engine import Models, by_models
from cds.inference.socket import its_turn, made, socket_of
from cds.keys import Keys
from cds.memory import give_back_now, give_back_what_is_large
from cds.priority import give_way_alone
from cds.processes import die_with_parent
from cds.settings import Settings

MORE_THAN_A_LAYER = 32 * 1024 * 1024
"""Bytes; what a network makes on its way is kept for the next call."""
NICER, SESSION = 19, 5
"""What is found out beside the work comes after it (:data:`cds.engine.process.supervisor.NICER`). The work is in
another session: where sessions share the cores this one is no nicer, or on a busy machine it would never be."""


def run(settings: Settings) -> None:
    """Serve until we are interrupted; raises :class:`~cds.errors.SightlineError` where a model cannot be used."""
    path = socket_of(settings)
    made(path)
    with its_turn(path):
        _serve(settings, path)


def _serve(settings: Settings, path: Path) -> None:
    # What the tokenizers would start does not survive a fork, which takes one thread along.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with _hidden("torch", "transformers"):
        # spaCy would take both along, for language models that we do not have.
        import presidio_analyzer  # noqa: F401, PLC0415
    from cds.engine.running import begun, ct_begun  # noqa: PLC0415 (with what a restart then need not import)
    from cds.inference.reading import Reading, on_cores  # noqa: PLC0415 (imports Presidio)

    kept = settings.home() / "engine"
    kept.mkdir(mode=0o700, exist_ok=True)
    models = Models.in_use(settings)
    cores = os.cpu_count() or 1
    threads = settings.torch_threads or cores
    if on_cpu(settings.device):
        run_here = () if settings.engine_addresses else (models.image, models.note)
        for bundle in (*run_here, *models.ct):
            if not kept_file(bundle, kept).exists():
                _begun(_prepare, bundle, kept, "logits").join()
    found_later = []
    if not kept_file(models.image, kept, "saliency").exists():
        # Until it is there, torch explains.
        found_later.append(_begun(_prepare_saliency, models.image, kept))
    read = Reading.of(models, Keys.load(settings).pseudonym)
    reading = on_cores(read)
    pulse = Pulse()

    def hold_models() -> None:
        give_back_what_is_large(from_bytes=MORE_THAN_A_LAYER)
        engine = begun(models.image, models.note, kept, settings, threads)
        ct = ct_begun(models.ct, kept, settings, threads)
        # A process that starts anew has read their files anew, under the digests of before.
        models.check()
        give_back_now()
        server = Server(by_models(engine, ct), frozenset(reading), cores, models.digests)
        threading.Thread(target=pulse.beat_while, args=(server.gets_on,), name="pulse", daemon=True).start()
        server.serve(path)

    def read_on_a_core() -> None:
        read.warm_up()
        compute(path, reading)

    roles = {"models": hold_models} | {f"core {number}": read_on_a_core for number in range(1, cores + 1)}
    supervise(roles, found_later, {"models": pulse})


@contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """As if ``modules``, which nobody has imported yet, were not installed."""
    sys.modules.update(dict.fromkeys(modules))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module in modules:
            del sys.modules[module]


def _begun(find_out: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that ends when it has found out how a bundle runs best: what that imports nobody else needs."""
    process = multiprocessing.get_context("fork").Process(target=find_out, args=arguments, daemon=True)
    process.start()
    return process


def _prepare_saliency(bundle: Bundle, kept: Path) -> None:
    """Whatever is asked of the engine meanwhile comes first."""
    give_way_alone(NICER, SESSION)
    _prepare(bundle, kept, "saliency")


def _prepare(bundle: Bundle, kept: Path, what: What) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    import torch  # noqa: PLC0415 (seconds)

    from cds.engine.prepare import prepare  # noqa: PLC0415

    torch.set_num_threads(1)
    with suppress(ModelError):  # whoever is to run it says why it cannot be
        prepare(bundle, kept, what)
