"""The engine process of a machine, for the length of a test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path

from cds.engine.kept import kept_file
from cds.engine.process.client import EngineProcess
from cds.inference.engine import Models
from cds.inference.socket import socket_of
from cds.processes import Process, Processes
from cds.serving import environment, logs, python
from cds.settings import Settings

READY_WITHIN_S = 150
SHARED = Path(tempfile.gettempdir()) / f"sightline-tests-{os.geteuid()}"
"""What engines find out about the models that ship, once for all test processes."""


def share_what_is_known(home: Path) -> None:
    """An engine of this data directory need not try for seconds how each model runs best."""
    SHARED.mkdir(mode=0o700, exist_ok=True)
    (home / "engine").symlink_to(SHARED)


@contextmanager
def engine_of(settings: Settings) -> Iterator[Process]:
    """``cds engine``, ready for what is started with ``settings``."""
    share_what_is_known(settings.home())
    models = Models.in_use(settings)
    engine = EngineProcess(socket_of(settings), models.digests)
    with Processes(logs(settings)) as processes:
        with found_out_once(models):
            process = processes.start("engine", python("-m", "cds.cli", "engine"), environment(settings))
            processes.wait(process, engine.ready, READY_WITHIN_S)
        yield process


@contextmanager
def found_out_once(models: Models) -> Iterator[None]:
    """On a machine where nothing is known yet, one engine starts at a time: what it finds out, the next knows."""
    with (SHARED / "starting").open("w") as lock:
        flock(lock, LOCK_EX)
        if all(kept_file(bundle, SHARED).exists() for bundle in (models.image, models.note, *models.ct)):
            flock(lock, LOCK_UN)
        yield
