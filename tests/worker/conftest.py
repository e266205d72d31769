"""A database of the tests' own, with the service's schema, and an EHR that the worker delivers to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from cds.ehr.backend_services import BackendServices
from cds.ehr.smart_configuration import Discovery
from cds.keys import Keys
from cds.registration import Registration, Registrations
from cds.store import migrate, outbox
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.postgres import APPLICATION
from cds.store.sealing import Keyring
from cds.worker.delivery import Deliverer
from tests.databases import another
from tests.master import MASTER
from tests.outbox import enqueued

BASE = "https://ehr.example/fhir"
TOKEN_URL = f"{BASE}/token"
TENANT = "st-elsewhere"

REGISTRATION = {
    "issuer": BASE,
    "tenant": TENANT,
    "fhirServers": [BASE],
    "jwksUrl": f"{BASE}/jwks",
    "clientId": "us",
}

RESULTS = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
            "resource": {
                "resourceType": "DiagnosticReport",
                "identifier": [{"system": "https://sightline.example/ids", "value": "r1"}],
            },
        }
    ],
}


@pytest.fixture(scope="session")
def database_url(postgres: EmbeddedPostgres) -> str:
    admin, app = another(postgres)
    migrate.upgrade(admin, APPLICATION, MASTER)
    return app


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, Keyring(MASTER))
    yield database
    database.close()


@dataclass
class Ehr:
    """An authorization server and a FHIR server; ``answer`` replaces the latter's."""

    answer: httpx.Response | Exception | None = None
    reports: list[dict[str, Any]] = field(default_factory=list)
    posts: int = 0
    pause_s: float = 0.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir")
        if path == "/.well-known/smart-configuration":
            return httpx.Response(200, json={"token_endpoint": TOKEN_URL})
        if path == "/token":
            return httpx.Response(200, json={"access_token": "t", "token_type": "Bearer", "expires_in": 300})
        assert request.headers["Authorization"] == "Bearer t"
        time.sleep(self.pause_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        return self.post(request) if request.method == "POST" else self.get(path)

    def get(self, path: str) -> httpx.Response:
        if path == "/metadata":
            rest = [{"interaction": [{"code": "transaction"}]}]
            return httpx.Response(200, json={"resourceType": "CapabilityStatement", "rest": rest})
        entry = [{"resource": report} for report in self.reports]
        return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": entry})

    def post(self, request: httpx.Request) -> httpx.Response:
        self.posts += 1
        if request.url != BASE:
            return httpx.Response(200)
        (entry,) = orjson.loads(request.content)["entry"]
        self.reports.append({**entry["resource"], "id": "er1"})
        response = {"status": "201 Created", "location": f"{BASE}/DiagnosticReport/er1/_history/1"}
        bundle = {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": response}]}
        return httpx.Response(200, json=bundle)


@pytest.fixture
def ehr() -> Ehr:
    return Ehr()


@pytest.fixture
def registrations() -> Registrations:
    return Registrations([Registration.from_json(REGISTRATION)])


@pytest.fixture
def deliverer(database: Database, registrations: Registrations, keys: Keys, ehr: Ehr) -> Iterator[Deliverer]:
    with httpx.Client(transport=httpx.MockTransport(ehr)) as http:
        yield Deliverer(database, registrations, http, BackendServices(http, keys, Discovery(http)))


@pytest.fixture
def enqueue(database: Database, request: pytest.FixtureRequest) -> Callable[..., int]:
    """Put results into the outbox, as the use case does."""

    def put(
        kind: str = outbox.FHIR_RESULTS, destination: str = BASE, payload: Any = RESULTS, name: str = ""
    ) -> int:
        with database.transaction(TENANT) as connection:
            key = f"{request.node.name}{name}"
            return enqueued(
                connection, TENANT, kind=kind, destination=destination, payload=payload, idempotency_key=key
            )

    return put
