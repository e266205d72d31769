"""One core's process: decodes films and reads notes, one after another, for as long as the models are there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from cds.engine.process.messages import Call, Core, answered

AGAIN_S = 0.05
"""After which it looks again whether the models' process listens."""


def compute(path: Path, operations: Mapping[str, Callable[..., Any]]) -> None:
    """For ever, by the orders of whatever listens at ``path``."""
    while True:
        with suppress(EOFError, OSError), Client(str(path), "AF_UNIX") as server:
            server.send(Core(os.getpid()))
            _obey(server, operations)
        time.sleep(AGAIN_S)


def _obey(server: Connection[Any, Any], operations: Mapping[str, Callable[..., Any]]) -> None:
    while True:
        call: Call = server.recv()
        server.send_bytes(answered(operations[call.operation], server.recv_bytes()))
