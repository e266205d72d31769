"""The parties of an attack: an EHR that we may call and that means no good, and a trap that nobody may call."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Flask, Response, request

from tests.serving import listening

Json = dict[str, Any]


@dataclass
class Trap:
    """An address on no allow-list. Whoever connects is seen, whatever they then say."""

    base_url: str
    seen: list[bytes] = field(default_factory=list)


@contextmanager
def trap() -> Iterator[Trap]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        laid = Trap(f"http://127.0.0.1:{server.getsockname()[1]}")

        def watch() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(1)
                        try:
                            laid.seen.append(connection.recv(65536))
                        except OSError:
                            laid.seen.append(b"")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        yield laid
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@dataclass
class Ehr:
    """A registered EHR and PACS whose every answer a test decides; what it has no answer for is 404."""

    base_url: str
    answers: dict[str, Response] = field(default_factory=dict)
    """By path, without the query."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and query of every request, and its Authorization."""

    @property
    def fhir(self) -> str:
        return f"{self.base_url}/fhir"

    @property
    def dicomweb(self) -> str:
        return f"{self.base_url}/dicom-web"

    def has(self, path: str, resource: Json | None = None, status: int = 200, **headers: str) -> None:
        named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        body = b"" if resource is None else orjson.dumps(resource)
        self.answers[path] = Response(body, status, named, mimetype="application/fhir+json")


@contextmanager
def ehr() -> Iterator[Ehr]:
    with listening() as address:
        party, app = Ehr(address.base_url), Flask("hostile")

        @app.route("/<path:path>", methods=["GET", "POST"])
        def answer(path: str) -> Response:
            party.asked.append((request.full_path, request.headers.get("Authorization", "")))
            return party.answers.get(request.path, Response(status=404))

        address.app = app
        yield party
