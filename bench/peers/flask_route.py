"""A bare Flask route that answers every hook with the card in the file ``BENCH_CARD``."""

from __future__ import annotations

import json
import os
from pathlib import Path

from flask import Flask, Response, request

CARD = json.loads(Path(os.environ["BENCH_CARD"]).read_text())

app = Flask("bench")


@app.post("/cds-services/imaging-prescreen")
def call() -> Response:
    request.get_json()
    return Response(json.dumps({"cards": [CARD]}), mimetype="application/json")


@app.get("/health")
def health() -> str:
    return "healthy"
