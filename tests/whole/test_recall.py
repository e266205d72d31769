"""The recall drill, whole: what a model said is taken back where it was delivered, in the EHR and in the PACS."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pydicom.uid import EnhancedSRStorage, KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage

from cds.audit.trail import OnBehalf, Trail, party
from cds.audit.verify import verify
from cds.engine.active import in_use
from cds.findings import ModelVersion, Prescreen
from cds.keys import Keys
from cds.models.withdrawal import Recall, known
from cds.reporting.record import Record, kept, report_due
from cds.sandbox.app import create_app
from cds.sandbox.ehr.registration import registration
from cds.sandbox.parts import Sandbox
from cds.settings import Settings
from cds.store import outbox
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from cds.worker.service import deliverer
from tests.engines import engine_of
from tests.films import FILM, SEEN
from tests.master import MASTER_KEY
from tests.prescreens import FUSION, NOTE_MODEL, prescreen
from tests.serving import listening

US = party("https://cds.example")


@dataclass
class Site:
    """A tenant with an EHR and a PACS that asks for results, and the worker that delivers to both."""

    tenant: str
    settings: Settings
    sandbox: Sandbox
    database: Database
    model: ModelVersion

    def report(self) -> Prescreen:
        """Prescreen the patient as an answer does."""
        id = str(uuid.uuid4())
        given = prescreen(id=id, key=id, tenant=self.tenant, fhir_server=self.sandbox.fhir_base)
        study, models = replace(SEEN, root=self.sandbox.pacs_root), (self.model, NOTE_MODEL, FUSION)  # type: ignore[type-var]
        made, trail = replace(given, study=study, models=models), Trail(US, OnBehalf())
        Record(self.database).write(self.tenant, trail, kept(made, trail), report_due(made, trail))
        return made

    def work(self) -> None:
        with deliverer(self.settings) as delivering:
            while due := self._due():
                for id in due:
                    delivering.deliver(self.tenant, id)

    def _due(self) -> list[int]:
        with self.database.transaction(self.tenant) as connection:
            return outbox.due(connection, self.tenant)

    def in_the_ehr(self, type: str) -> list[dict[str, Any]]:
        found = self.sandbox.records._database.connection.execute(
            "SELECT body FROM resource WHERE type = ?", (type,)
        )
        return [json.loads(body) for (body,) in found]

    def in_the_pacs(self) -> Counter[str]:
        held = self.sandbox.archive.find()
        return Counter(one.sop_class for one in held if one.instance != SEEN.instance_uid)  # type: ignore[union-attr]


@pytest.fixture
def site(tmp_path: Path, postgres: EmbeddedPostgres, database: Database, tenant: str) -> Iterator[Site]:
    with listening() as ehr, listening() as service:
        ehr.app = create_app(tmp_path / "sandbox", ehr.base_url, service_url=service.base_url)
        sandbox: Sandbox = ehr.app.extensions["sandbox"]
        sandbox.pacs.store([FILM])
        sandbox.records.update({"resourceType": "Patient", "id": "p1"})
        entry = registration(sandbox, tenant=tenant)
        entry["pacs"] = [pacs | {"results": ["SR", "SC"]} for pacs in entry["pacs"]]
        file = tmp_path / "registrations.json"
        file.write_text(json.dumps([entry]))
        settings = Settings(
            data_dir=tmp_path,
            database_url=postgres.app_url,
            redis_url="redis://127.0.0.1:9/0",
            registrations_file=file,
            master_key=MASTER_KEY,
        )
        keys = Keys.load(settings)
        service.app = Flask("keys")
        service.app.add_url_rule("/.well-known/jwks.json", view_func=lambda: keys.signing.published(time.time()))
        with engine_of(settings):
            yield Site(tenant, settings, sandbox, database, in_use(settings, "image").version)


def test_a_recall_reaches_what_was_delivered(site: Site) -> None:
    given = [site.report() for _ in range(2)]
    site.work()
    stored = Counter({EnhancedSRStorage: 2, SecondaryCaptureImageStorage: 4})
    assert (len(site.in_the_ehr("DiagnosticReport")), site.in_the_pacs()) == (2, stored)

    found = known(site.database, [site.tenant], site.model.digest)
    assert [done.withdrawn for done in Recall(site.database, US, "A drill.", "Dr Ada")(found)] == [len(given)]
    site.work()
    for type in ("DiagnosticReport", "Observation"):
        assert {resource["status"] for resource in site.in_the_ehr(type)} == {"entered-in-error"}
    devices = {device["modelNumber"]: device["status"] for device in site.in_the_ehr("Device")}
    assert devices == {site.model.name: "inactive", NOTE_MODEL.name: "active", FUSION.name: "active"}
    assert site.in_the_pacs() == stored + Counter({KeyObjectSelectionDocumentStorage: 2})
    with site.database.transaction(site.tenant) as connection:
        assert outbox.undelivered(connection, site.tenant) == 0
        assert verify(connection, site.tenant).intact
