"""The engine process of a machine, for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cds.engine.process.client import EngineProcess
from cds.inference.engine import Models
from cds.inference.socket import socket_of
from cds.processes import Process, Processes
from cds.serving import environment, logs, python
from cds.settings import Settings

READY_WITHIN_S = 90


@contextmanager
def engine_of(settings: Settings) -> Iterator[Process]:
    """``cds engine``, ready for what is started with ``settings``."""
    engine = EngineProcess(socket_of(settings), Models.in_use(settings).digests)
    with Processes(logs(settings)) as processes:
        process = processes.start("engine", python("-m", "cds.cli", "engine"), environment(settings))
        processes.wait(process, engine.ready, READY_WITHIN_S)
        yield process
