"""A prescreen is reported by the worker: once, and in the audit trail of the call that asked for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cds.audit.balp import Party, User
from cds.audit.trail import OnBehalf, Trail
from cds.audit.verify import verify
from cds.findings import Prescreen
from cds.registration import Registration, Registrations
from cds.reporting.pacs import ResultsForPacs
from cds.reporting.record import Record, kept, report_due
from cds.reporting.resources import report_id
from cds.store import outbox, resources
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.sealing import Keyring
from cds.worker.delivery import Deliverer
from cds.worker.report import Reporter
from tests.master import MASTER
from tests.opened import events
from tests.prescreens import prescreen
from tests.worker.conftest import BASE, REGISTRATION

US = Party("sightline", "https://cds.example")
CLINICIAN = OnBehalf(User(BASE, "Practitioner/1"), "jti-1", "hook-instance-1")


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Not the other worker tests' own, in which no job may be left."""
    database = Database(postgres.app_url, Keyring(MASTER))
    yield database
    database.close()


@pytest.fixture
def asked(database: Database, tenant: str) -> Prescreen:
    """A prescreen whose report is due."""
    made, trail = prescreen(tenant=tenant, fhir_server=BASE), Trail(US, CLINICIAN)
    Record(database).write(tenant, trail, kept(made, trail), report_due(made, trail))
    return made


@pytest.fixture
def reporting(deliverer: Deliverer, database: Database) -> Deliverer:
    reporter = Reporter(Record(database), US, ResultsForPacs(Registrations(())))
    return replace(deliverer, handlers={outbox.REPORT: reporter})


def due(database: Database, tenant: str) -> list[int]:
    with database.transaction(tenant) as connection:
        return outbox.due(connection, tenant)


def test_it_is_made_and_is_on_its_way(
    database: Database, reporting: Deliverer, asked: Prescreen, tenant: str
) -> None:
    (id,) = due(database, tenant)
    reporting.deliver(tenant, id)
    with database.transaction(tenant) as connection:
        assert resources.get(connection, tenant, "DiagnosticReport", report_id(asked) or "")
        (results,) = outbox.waiting(connection, tenant)
        assert (results.kind, results.destination) == (outbox.FHIR_RESULTS, BASE)
        assert verify(connection, tenant).intact


def test_what_the_pacs_asks_for_is_on_its_way_with_it(
    database: Database, deliverer: Deliverer, asked: Prescreen, tenant: str
) -> None:
    pacs = {"root": "https://pacs.example/dicom-web", "results": ["SR"]}
    registered = Registration.from_json(REGISTRATION | {"tenant": tenant, "pacs": [pacs]})
    reporter = Reporter(Record(database), US, ResultsForPacs(Registrations([registered])))
    (id,) = due(database, tenant)
    replace(deliverer, handlers={outbox.REPORT: reporter}).deliver(tenant, id)
    with database.transaction(tenant) as connection:
        assert {letter.destination for letter in outbox.waiting(connection, tenant)} == {BASE, pacs["root"]}


def test_its_audit_names_for_whom(database: Database, reporting: Deliverer, asked: Prescreen, tenant: str) -> None:
    (id,) = due(database, tenant)
    reporting.deliver(tenant, id)
    with database.transaction(tenant) as connection:
        created = json.dumps(events(connection, tenant)[-1])
    assert "PatientCreate" in created
    assert all(said in created for said in ("Practitioner/1", "jti-1", "hook-instance-1"))


def test_asked_for_twice_it_is_made_once(
    database: Database, reporting: Deliverer, asked: Prescreen, tenant: str
) -> None:
    (id,) = due(database, tenant)
    reporting.deliver(tenant, id)
    trail = Trail(US, CLINICIAN)
    Record(database).write(tenant, trail, report_due(asked, trail))
    with database.transaction(tenant) as connection:
        assert [letter.kind for letter in outbox.waiting(connection, tenant)] == [outbox.FHIR_RESULTS]
        assert len(resources.history(connection, tenant, "DiagnosticReport", report_id(asked) or "")) == 1


def test_a_prescreen_that_is_not_kept_is_not_reported(
    database: Database, reporting: Deliverer, tenant: str
) -> None:
    made, trail = prescreen(tenant=tenant, fhir_server=BASE), Trail(US, CLINICIAN)
    Record(database).write(tenant, trail, report_due(made, trail))
    (id,) = due(database, tenant)
    reporting.deliver(tenant, id)
    with database.transaction(tenant) as connection:
        (letter,) = outbox.waiting(connection, tenant)
    assert letter.last_error == "BadAnswer: the prescreen that is to be reported is not kept any more"
