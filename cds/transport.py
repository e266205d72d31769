"""Connections to systems that are not ours, whose time to answer is counted from the question to the last byte.

httpx counts a read timeout anew from each byte that comes: an answer that drips, in its headers, between its
chunks or in what a decoder swallows, would never be over.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
"""httpx's own."""


class Transport(httpx.HTTPTransport):
    """httpx's own, over such connections."""

    def __init__(self, verify: ssl.SSLContext | bool = True, limits: httpx.Limits = LIMITS) -> None:
        super().__init__(verify=verify, trust_env=False, limits=limits)
        # httpx has no way to say it.
        self._pool._network_backend = _Network()


class _Network(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    """A connection of HTTP/1.1, on which a question is answered before the next is sent."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self._asked = time.monotonic()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """``timeout``: in seconds, from when the last of the question was sent."""
        if timeout is None:
            return self._inner.read(max_bytes)
        left = self._asked + timeout - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer did not end in time")
        return self._inner.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)
        self._asked = time.monotonic()

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
