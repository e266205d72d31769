"""Serving WSGI applications on loopback ports for the length of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.serving import make_server


@dataclass
class Address:
    """An address that listens before there is an application: two parties may have to know each other's."""

    base_url: str = ""
    app: Flask | None = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        assert self.app is not None
        return self.app(environ, start_response)


@contextmanager
def listening() -> Iterator[Address]:
    """A free port; set :attr:`Address.app` before the first request."""
    address = Address()
    server = make_server("127.0.0.1", 0, address, threaded=True)
    address.base_url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
