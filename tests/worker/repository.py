"""An audit record repository over mutual TLS (IHE ITI-20, FHIR feed), as a server of its own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.serving import STOPS_WITHIN_S

TOKEN = "the-token"


@dataclass
class Repository:
    """What it holds, and how it answers."""

    url: str = ""
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By tag, in the order in which they came."""
    batches: int = 0
    away: bool = False
    silent: bool = False
    """It takes what comes and its answer is lost."""
    refuses: str = ""
    """The tag of an event that it does not take."""

    def __call__(self) -> Any:
        assert request.headers["Content-Type"] == "application/fhir+json"
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Response(status=401)
        if self.away:
            return Response(status=503)
        self.batches += 1
        bundle = request.get_json(force=True)
        assert bundle["type"] == "batch"
        answers = [{"response": {"status": self._create(entry)}} for entry in bundle["entry"]]
        if self.silent:
            return Response(status=504)
        return jsonify({"resourceType": "Bundle", "type": "batch-response", "entry": answers})

    def _create(self, entry: dict[str, Any]) -> str:
        event, asked = entry["resource"], entry["request"]
        (tag,) = event["meta"]["tag"]
        assert (asked["method"], asked["url"]) == ("POST", "AuditEvent")
        assert asked["ifNoneExist"] == f"_tag={tag['system']}%7C{tag['code']}"
        if tag["code"] == self.refuses:
            return "422 Unprocessable Entity"
        if tag["code"] in self.held:
            return "200 OK"
        self.held[tag["code"]] = event
        return "201 Created"


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, and a certificate with its key for each side."""

    authority: Path
    server: Path
    client: Path

    @classmethod
    def made(cls, home: Path) -> Certificates:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = _certificate("authority", key, "authority", key, ca=True)
        files = cls(home / "ca.pem", home / "server.pem", home / "client.pem")
        files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        for name, file in (("server", files.server), ("client", files.client)):
            own = ec.generate_private_key(ec.SECP256R1())
            signed = _certificate(name, own, "authority", key, ca=False)
            file.write_bytes(
                own.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                + signed.public_bytes(serialization.Encoding.PEM)
            )
        return files


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(signer, hashes.SHA256())
    )


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any, **__: Any) -> None:
        pass


@contextmanager
def serving(certificates: Certificates) -> Iterator[Repository]:
    """On loopback; whoever has no certificate of the authority gets no connection."""
    repository, app = Repository(), Flask("repository")
    app.add_url_rule("/fhir", view_func=repository, methods=["POST"], endpoint="batch")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.authority)
    context.load_cert_chain(certificates.server)
    context.verify_mode = ssl.CERT_REQUIRED
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context, request_handler=_Quiet)
    repository.url = f"https://127.0.0.1:{server.port}/fhir"
    thread = threading.Thread(target=server.serve_forever, args=(STOPS_WITHIN_S,), daemon=True)
    thread.start()
    try:
        yield repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
