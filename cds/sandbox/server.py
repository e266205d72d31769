"""The sandbox as a process: gunicorn, one worker with threads, on this machine's own address only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from cds.errors import ConfigurationError
from cds.sandbox.app import DEFAULT_SERVICE_URL, create_app
from cds.sandbox.fhir import validation
from cds.sandbox.keys import SandboxKeys
from cds.sandbox.pacs import StowPacs

HOST = "127.0.0.1"


def serve(home: Path, port: int, *, pacs_url: str = "", service_url: str = DEFAULT_SERVICE_URL) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one, which is printed.

    Raises :class:`ConfigurationError` where the port is taken or a setting is wrong, before anything starts.
    """
    SandboxKeys.load(home)
    if pacs_url:
        StowPacs(pacs_url)
    listener = _listen(port)
    base_url = f"http://{HOST}:{listener.getsockname()[1]}"
    print(f"The sandbox EHR and PACS are at {base_url}", flush=True)
    _Server(listener, lambda: create_app(home, base_url, pacs_url=pacs_url, service_url=service_url)).run()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(256)
    except (OSError, OverflowError):
        listener.close()
        raise ConfigurationError(
            f"port {port} on {HOST} cannot be used (is it taken?); set CDS_SANDBOX_PORT to a free one"
        ) from None
    return listener


class _Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn on a socket that is bound already, so that a taken port is our error to tell."""

    def __init__(self, listener: socket.socket, build: Callable[[], Flask]) -> None:
        self._options: Mapping[str, Any] = {
            "bind": f"fd://{listener.fileno()}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": 16,
            "keepalive": 75,
            "graceful_timeout": 2,
            "limit_request_line": 8190,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        self._build = build
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in the worker: the databases are opened after the fork."""
        threading.Thread(target=validation.warm_up, daemon=True).start()
        return self._build()
