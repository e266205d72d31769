"""What stands between the service and a remote engine, and keeps what passes."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
from flask import Flask, Response, request

PASSED_ON = ("Content-Type", "Inference-Header-Content-Length")


@dataclass
class Relay:
    """Sends on to ``url`` what it is sent."""

    url: str
    passed: list[bytes] = field(default_factory=list)
    """Address, headers and body of each request."""

    def infers(self) -> list[bytes]:
        return [sent for sent in self.passed if b"/infer" in sent.split(b"\n", 1)[0]]

    def app(self, http: httpx.Client) -> Flask:
        app = Flask("relay")

        @app.route("/<path:path>", methods=["GET", "POST"])
        def on(path: str) -> Response:
            body = request.get_data()
            self.passed.append(f"{request.full_path}\n{request.headers}".encode() + body)
            headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
            answer = http.request(request.method, f"{self.url}/{path}", content=body, headers=headers)
            kept = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
            return Response(answer.content, answer.status_code, kept)

        return app
