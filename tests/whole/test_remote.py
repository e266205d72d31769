"""The models on a server elsewhere that hangs: each hook has its answer in time, and the worker makes it whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request

from cds.engine.served import messages
from cds.engine.served.catalogue import Catalogue
from cds.engine.served.model import ServedModel
from cds.reporting.record import Record
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from tests.hospital import MODELS, TENANT, Hospital, opened
from tests.serving import listening

CLINICIANS = 4


class Elsewhere:
    """A server of the Open Inference Protocol with the models that ship; unless ``answering`` is set, it hangs."""

    def __init__(self) -> None:
        self.answering = threading.Event()
        self.answering.set()
        self._catalogue = Catalogue(MODELS)
        self._models = {bundle.version.name: ServedModel(bundle, "cpu") for bundle in self._catalogue.bundles()}

    def app(self) -> Flask:
        app = Flask("elsewhere")

        @app.get("/v2")
        def server() -> dict[str, Any]:
            return messages.SERVER

        @app.get("/v2/models/<name>/versions/<version>")
        def model(name: str, version: str) -> dict[str, Any]:
            return messages.metadata(self._catalogue.find(name, version), [version])

        @app.post("/v2/models/<name>/versions/<version>/infer")
        def infer(name: str, version: str) -> Response:
            asked = messages.read(request.get_data(), request.headers.get(messages.HEADER_LENGTH))
            self.answering.wait()
            (logits,) = self._models[name].infer_all([asked.inputs])
            answer = messages.answer(self._catalogue.find(name, version), asked, logits)
            return Response(answer.body, headers=dict(answer.headers))

        return app


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    elsewhere = Elsewhere()
    yield elsewhere
    elsewhere.answering.set()


@pytest.fixture
def hospital(
    elsewhere: Elsewhere,
    tmp_path: Path,
    films: Path,
    postgres: EmbeddedPostgres,
    database: Database,
    valkey_url: str,
) -> Iterator[Hospital]:
    """A call to the server may take much longer than the sandbox's EHR waits for a hook."""
    with listening() as address:
        address.app = elsewhere.app()
        state = {"database_url": postgres.app_url, "redis_url": valkey_url}
        there = {"engine_urls": address.base_url, "upstream_timeout_ms": 120_000}
        with opened(tmp_path, films, database, state | there | {"hook_budget_ms": 2_000}) as hospital:
            yield hospital


def test_hooks_are_answered_while_the_models_hang(elsewhere: Elsewhere, hospital: Hospital) -> None:
    patients = [hospital.newcomer("pneumothorax") for _ in range(CLINICIANS)]
    elsewhere.answering.clear()
    with ThreadPoolExecutor(CLINICIANS) as clinicians:
        signed = list(clinicians.map(hospital.sign, patients))
    assert [exchange.problem for exchange in signed] == [""] * len(patients)

    elsewhere.answering.set()
    hospital.work()
    record, ehr = Record(hospital.database), hospital.sandbox.fhir_base
    latest = [record.latest(TENANT, ehr, f"Patient/{patient.id}") for patient in patients]
    assert [prescreen and prescreen.missing for prescreen in latest] == [()] * len(patients)
