"""The whole service: a real PostgreSQL and Valkey, the shipped models, the sandbox EHR and PACS."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cds.app import create_app
from cds.sandbox.app import create_app as create_sandbox
from cds.sandbox.ehr import EXTENSION, Ehr
from cds.sandbox.ehr.ordering import HookExchange
from cds.sandbox.ehr.registration import registration
from cds.sandbox.oauth.launch import Launch, LaunchContext, launch_url
from cds.sandbox.parts import Sandbox
from cds.sandbox.patients import Films, SamplePatient, sample_patients
from cds.sandbox.patients.loader import load
from cds.settings import PACKAGE_ROOT, Settings
from cds.store import outbox
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from cds.worker.delivery import Deliverer
from cds.worker.service import deliverer
from tests.engines import engine_of, share_what_is_known
from tests.master import MASTER_KEY
from tests.serving import listening

MODELS = Path(os.environ.get("CDS_MODELS_DIR", PACKAGE_ROOT / "models"))

BUDGET_MS = 12_000
"""Two test processes share two cores; a slow moment must not look like a missing part. Still it is less than the
sandbox's EHR waits (:data:`cds.sandbox.ehr.ordering.ANSWER_S`): a part may well be late."""


@dataclass(frozen=True)
class Hospital:
    """The sandbox and the service, and what a test may do with them."""

    settings: Settings
    app: Flask
    sandbox: Sandbox
    desk: Ehr
    patients: dict[str, SamplePatient]
    database: Database
    worker: Deliverer
    """What a worker's process holds as long as it runs."""

    def sign(self, who: str | SamplePatient, **changes: Any) -> HookExchange:
        """Sign the order of a patient, or of the sample patient whose id starts so."""
        patient = self.patient(who) if isinstance(who, str) else who
        user = patient.order["requester"]["reference"]
        return self.desk.service.sign_order(patient.id, [{**patient.order, **changes}], user=user)

    def newcomer(self, like: str) -> SamplePatient:
        """A patient as the sample patient ``like``, whom the service has never seen and no other test knows."""
        patient = self.patient(like).renamed(f"{like}-{uuid.uuid4().hex[:8]}")
        self.sandbox.records.transaction(patient.bundle)
        return patient

    def work(self) -> None:
        """What a worker would do, until nothing is left to do."""
        while due := self._due():
            for id in due:
                self.worker.deliver(TENANT, id)

    def launch_url(
        self, who: str | SamplePatient, user: str, *, card: bool = True, references: tuple[str, ...] = ()
    ) -> str:
        """Where the EHR sends a browser to open the app, by ``card`` from that of an order that is signed now."""
        patient = self.patient(who) if isinstance(who, str) else who
        cards = self.sign(patient).cards if card else []
        self.work()
        links = [link for one in cards for link in one.get("links", ())]
        context = LaunchContext(
            user=user,
            patient=patient.id,
            references=references,
            app_context=links[0]["appContext"] if links else "",
        )
        authorization = self.desk.authorization
        client = authorization.clients.get("sightline")
        assert client is not None
        handle = authorization.launches.issue(Launch(client.id, context))
        return launch_url(client, authorization.issuer, handle)

    def _due(self) -> list[int]:
        with self.database.transaction(TENANT) as connection:
            return outbox.due(connection, TENANT)

    def patient(self, name: str) -> SamplePatient:
        return next(patient for id, patient in self.patients.items() if id.startswith(name))


TENANT = "sandbox"
AWAY = "http://127.0.0.1:9/fhir"
"""A FHIR server that is registered and does not answer: nothing listens on the discard port."""


def away(entry: dict[str, Any]) -> dict[str, Any]:
    """Another EHR of the same keys, whose FHIR server is away; its users have no tokens for our endpoint."""
    others = {name: value for name, value in entry.items() if name != "accessTokens"}
    return others | {"issuer": AWAY, "fhirServers": [AWAY]}


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Where the sample patients' films are drawn, once for all test processes of a run."""
    own = tmp_path_factory.getbasetemp()
    return (own if worker_id == "master" else own.parent) / "films"


@pytest.fixture
def used_home(tmp_path: Path, films: Path) -> Path:
    """A data directory as an earlier start leaves it: what takes long, and is tested elsewhere, is done."""
    films.mkdir(exist_ok=True)
    home = tmp_path / "data"
    (home / "sandbox").mkdir(parents=True)
    (home / "sandbox" / "films").symlink_to(films)
    share_what_is_known(home)
    return home


@pytest.fixture(scope="session")
def hospital(
    tmp_path_factory: pytest.TempPathFactory,
    films: Path,
    postgres: EmbeddedPostgres,
    database: Database,
    valkey_url: str,
) -> Iterator[Hospital]:
    state = {"database_url": postgres.app_url, "redis_url": valkey_url}
    with opened(tmp_path_factory.mktemp("hospital"), films, database, state) as hospital:
        yield hospital


@contextmanager
def opened(home: Path, films: Path, database: Database, changes: Mapping[str, Any]) -> Iterator[Hospital]:
    """``changes``: settings, those of where state lives among them."""
    with listening() as ehr, listening() as service, ExitStack() as running:
        ehr.app = create_sandbox(home / "sandbox", ehr.base_url, service_url=service.base_url)
        sandbox: Sandbox = ehr.app.extensions["sandbox"]
        registrations = home / "registrations.json"
        registrations.write_text(json.dumps([registration(sandbox), away(registration(sandbox))]))
        settings = Settings(
            data_dir=home,
            public_url=service.base_url,
            registrations_file=registrations,
            models_dir=MODELS,
            master_key=MASTER_KEY,
            **{"hook_budget_ms": BUDGET_MS, **changes},
        )
        service.app = create_app(settings)
        running.enter_context(engine_of(settings))
        worker = running.enter_context(deliverer(settings))
        patients = sample_patients(sandbox.pacs_root, date.today(), Films(films))
        load(patients, sandbox.records, sandbox.pacs, sandbox.archive)
        desk: Ehr = ehr.app.extensions[EXTENSION]
        by_id = {patient.id: patient for patient in patients}
        yield Hospital(settings, service.app, sandbox, desk, by_id, database, worker)
