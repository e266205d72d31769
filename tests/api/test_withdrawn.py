"""``POST /api/v1/assess`` with a model that was withdrawn while the service runs: no answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient

from cds import api
from cds.assess import Assessed
from cds.audit.trail import party
from cds.notes.context import PatientContext
from cds.registration import Registration
from cds.reporting.record import Record
from cds.store import withdrawn_models
from cds.store.database import Database
from tests.prescreens import NOTE_MODEL

REQUEST = {"symptoms": ["cough"]}


@dataclass(frozen=True)
class Caller:
    tenant: str
    registration: Registration
    jti: str = "j"


def service(database: Database, tenant: str) -> FlaskClient:
    """As a process that has just started."""

    @contextmanager
    def admitted(*_: object) -> Iterator[Caller]:
        yield Caller(tenant, Registration("https://ehr.example/fhir", tenant, ()))

    def assess(context: PatientContext, note: str) -> Assessed:
        return Assessed((), [], (NOTE_MODEL,))

    app = Flask("api")
    us = party("https://cds.example")
    app.register_blueprint(api.blueprint(us=us, admitted=admitted, assess=assess, record=Record(database)))
    return app.test_client()


def test_what_a_withdrawn_model_says_is_not_told(database: Database, tenant: str) -> None:
    assert service(database, tenant).post("/api/v1/assess", json=REQUEST).status_code == 200
    with database.transaction(tenant) as connection:
        withdrawn_models.add(connection, tenant, NOTE_MODEL.digest)
    refused = service(database, tenant).post("/api/v1/assess", json=REQUEST)
    assert (refused.status_code, refused.mimetype) == (503, "application/problem+json")
