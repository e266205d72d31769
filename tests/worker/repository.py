"""An audit record repository over mutual TLS (IHE ITI-20, FHIR feed), as a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, request

from tests.tls import Certificates, served

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


@contextmanager
def serving(certificates: Certificates) -> Iterator[Repository]:
    """On loopback; whoever has no certificate of the authority gets no connection."""
    repository, app = Repository(), Flask("repository")
    app.add_url_rule("/fhir", view_func=repository, methods=["POST"], endpoint="batch")
    with served(app, certificates) as url:
        repository.url = f"{url}/fhir"
        yield repository
