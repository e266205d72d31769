"""Serving WSGI applications on loopback ports for the length of a test."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

STOPS_WITHIN_S = 0.02
"""A server looks so often whether it is to stop."""


@dataclass(frozen=True)
class Tls:
    """A certificate for loopback that signs itself, for servers and for the clients that trust it."""

    server: ssl.SSLContext
    client: ssl.SSLContext

    @classmethod
    def new(cls, home: Path) -> Tls:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, SHA256())
        )
        (home / "tls.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        (home / "tls.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(home / "tls.crt", home / "tls.key")
        return cls(server, ssl.create_default_context(cafile=str(home / "tls.crt")))


@dataclass
class Address:
    """An address that listens before there is an application: two parties may have to know each other's."""

    base_url: str = ""
    app: Flask | None = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        assert self.app is not None
        return self.app(environ, start_response)


class Silent(WSGIRequestHandler):
    """Logs no request: pytest would keep every line."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def listening(name: str = "127.0.0.1", tls: Tls | None = None) -> Iterator[Address]:
    """A free port on loopback, called by ``name``; set :attr:`Address.app` before the first request."""
    address = Address()
    server = make_server(
        "127.0.0.1", 0, address, threaded=True, request_handler=Silent, ssl_context=tls and tls.server
    )
    address.base_url = f"{'https' if tls else 'http'}://{name}:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(STOPS_WITHIN_S,), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
