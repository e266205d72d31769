"""A small server of the Open Inference Protocol v2, honest or not; each row's last value tells its logits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from flask import Flask, Response, abort, request

from cds.engine.bundles import Bundle
from cds.engine.network import Inputs, Logits
from cds.engine.served import messages
from cds.engine.served.messages import Answer, Asked
from cds.engine.version_number import version_number
from cds.findings import ModelVersion
from cds.settings import PACKAGE_ROOT

IMAGE = Bundle.load(PACKAGE_ROOT / "models" / "chest-radiograph")
NOTE = Bundle.load(PACKAGE_ROOT / "models" / "clinical-note")
OTHER = replace(IMAGE, version=ModelVersion("image", IMAGE.version.name, "2.0.0", "f" * 64))
"""The next version of the same model."""


def pictures(rows: int = 1) -> Inputs:
    return {"pixel_values": np.linspace(-1, 1, rows * 224 * 224, dtype=np.float32).reshape(rows, 1, 224, 224)}


def expected(inputs: Inputs) -> Logits:
    (values,) = inputs.values()
    last = values.reshape(len(values), -1)[:, -1:]
    return (last + np.arange(len(IMAGE.findings))).astype(np.float32)


Reply = Callable[[Asked], Response]


def honest(asked: Asked) -> Response:
    return sent(messages.answer(IMAGE, asked, expected(asked.inputs)))


def sent(answer: Answer) -> Response:
    return Response(answer.body, headers=dict(answer.headers))


@dataclass
class OpenInference:
    """``reply`` answers what is inferred; it may be exchanged while it runs."""

    reply: Reply = honest
    url: str = ""
    runs: Bundle = IMAGE
    versioned: bool = True
    """Whether versions have addresses; KServe's own server answers 501 there."""
    server: dict[str, Any] = field(default_factory=lambda: messages.SERVER)
    asked: list[Asked] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)

    def honest_again(self) -> None:
        """For the next test; whoever hangs is released."""
        self.released.set()
        self.reply, self.server, self.released = honest, messages.SERVER, threading.Event()
        self.asked.clear()

    def hang(self, asked: Asked) -> Response:
        """A reply that comes when the test is over."""
        self.released.wait()
        return Response(status=503)

    def app(self) -> Flask:
        app = Flask("open inference")

        @app.get("/v2")
        def server() -> dict[str, Any]:
            return self.server

        @app.get("/v2/models/<name>")
        @app.get("/v2/models/<name>/versions/<version>")
        def model(name: str, version: str = "") -> dict[str, Any]:
            self.check(version)
            self.authorizations.add(request.headers.get("Authorization"))
            return messages.metadata(self.runs, [version_number(self.runs.version)])

        @app.post("/v2/models/<name>/infer")
        @app.post("/v2/models/<name>/versions/<version>/infer")
        def infer(name: str, version: str = "") -> Response:
            self.check(version)
            asked = messages.read(request.get_data(), request.headers.get(messages.HEADER_LENGTH))
            self.asked.append(asked)
            return self.reply(asked)

        return app

    def check(self, version: str) -> None:
        """Only what it has is to be asked of it: a version where it has such, and none where not."""
        if version and not self.versioned:
            abort(501)
        assert bool(version) == self.versioned
