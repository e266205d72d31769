"""The engine process of a machine, for the length of a test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    engine = EngineProcess(socket_of(settings), Models.in_use(settings).digests)
    with Processes(logs(settings)) as processes:
        process = processes.start("engine", python("-m", "cds.cli", "engine"), environment(settings))
        processes.wait(process, engine.ready, READY_WITHIN_S)
        yield process
