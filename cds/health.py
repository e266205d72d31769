"""Whether the process lives, and whether it can answer: for whoever runs it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from cds.engine.process.client import EngineProcess
from cds.errors import UpstreamError
from cds.store.database import Database
from cds.store.valkey import Valkey


def blueprint(database: Database, valkey: Valkey, engine: EngineProcess) -> Blueprint:
    """``/healthz``: the process answers. ``/readyz``: so do PostgreSQL, Valkey and the engine, else 503."""
    bp = Blueprint("health", __name__)

    @bp.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @bp.get("/readyz")
    def readyz() -> tuple[Response, int]:
        checked = {"database": _answers(database.ping), "valkey": _answers(valkey.ping), "engine": engine.ready()}
        return jsonify(checked), 200 if all(checked.values()) else 503

    return bp


def _answers(ping: Callable[[], None]) -> bool:
    try:
        ping()
    except UpstreamError:
        return False
    return True
