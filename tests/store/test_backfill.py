"""What was written before there was a search index is found after the upgrade, as what is written since."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from cds.audit import balp, chain
from cds.audit.balp import Exchange
from cds.audit.trail import OnBehalf, Trail, party
from cds.reporting.record import Record, kept, reported
from cds.store import migrate, resources
from cds.store.database import Connection, Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.postgres import APPLICATION
from cds.store.sealing import Keyring
from cds.store.search import backfill, index
from cds.store.search.find import AnyOf, Query, find
from cds.store.search.terms import patient_term, term
from tests.master import MASTER
from tests.prescreens import prescreen
from tests.store.earlier import FHIR, SECRET, TENANTS, upgraded

US = party("https://cds.example")
ROWS = (
    "SELECT type, id, patient, last_updated, date_low, date_high, issued, terms,"
    " ARRAY(SELECT term FROM search_term t WHERE t.number = s.number ORDER BY term) FROM search_row s"
    " ORDER BY type, id"
)


def found(connection: Connection, tenant: str, query: Query) -> list[str]:
    return [hit.id for hit in find(connection, tenant, query, 10)]


class TestFromTheFirstVersion:
    """0001 wrote the EHR's resources by relative references, and a Provenance without its patient."""

    def test_each_is_found_by_its_patient(self, before: tuple[str, str]) -> None:
        tenant = TENANTS[0]
        whose = ((patient_term(f"{FHIR}/{SECRET}"),),)
        with closing(upgraded(before)) as database, database.transaction(tenant) as connection:
            assert found(connection, tenant, Query("DiagnosticReport", patients=whose)) == ["r-1"]
            assert found(connection, tenant, Query("Provenance", patients=whose)) == ["p-1"]
            assert len(found(connection, tenant, Query("AuditEvent", patients=((patient_term(SECRET),),)))) == 3
            assert found(connection, tenant, Query("Device")) == ["d-1"]

    def test_by_a_reference_of_the_ehrs_and_one_of_ours(self, before: tuple[str, str]) -> None:
        tenant = TENANTS[0]
        with closing(upgraded(before)) as database, database.transaction(tenant) as connection:
            for type, name, value, id in (
                ("DiagnosticReport", "subject", f"{FHIR}/{SECRET}", "r-1"),
                ("DiagnosticReport", "result", "Observation/o-1", "r-1"),
                ("Provenance", "entity", f"{FHIR}/ImagingStudy/s-1", "p-1"),
                ("Provenance", "target", "DiagnosticReport/r-1", "p-1"),
            ):
                words = (AnyOf((term(type, name, value),), selective=True),)
                assert found(connection, tenant, Query(type, words=words)) == [id], name


@dataclass
class Hospital:
    """A tenant with results and events, and the owner of the tables."""

    tenant: str
    database: Database
    owner: Database

    def rows(self) -> list[tuple[Any, ...]]:
        with self.database.transaction(self.tenant) as connection:
            return connection.execute(ROWS).fetchall()

    def forget(self) -> None:
        """As if it all were written before there was an index."""
        with self.owner.transaction(self.tenant) as connection:
            connection.execute("DELETE FROM search_term")
            connection.execute("DELETE FROM search_row")


@pytest.fixture
def hospital(database: Database, postgres: EmbeddedPostgres, tenant: str) -> Iterator[Hospital]:
    given = prescreen(tenant=tenant, id=str(uuid4()), key=str(uuid4()))
    trail = Trail(US, OnBehalf())
    Record(database).write(tenant, trail, kept(given, trail), reported(given, trail))
    with database.transaction(tenant) as connection:
        events = [balp.patient_read(Exchange(US, US, US), f"Patient/{n}", "ImagingStudy/1") for n in range(20)]
        chain.append_many(connection, tenant, events)
    with closing(Database(postgres.admin_url, Keyring(MASTER))) as owner:
        yield Hospital(tenant, database, owner)


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_the_index_is_as_if_it_had_always_been(
    hospital: Hospital, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "BATCH", batch)
    as_written = hospital.rows()
    hospital.forget()
    backfill.index_all(hospital.owner)
    assert hospital.rows() == as_written
    backfill.index_all(hospital.owner)
    assert hospital.rows() == as_written


def test_what_was_cut_short_goes_on(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    as_written = hospital.rows()
    hospital.forget()
    left = iter(range(3))

    def killed(connection: Connection, tenant: str, entries: Any) -> None:
        if tenant == hospital.tenant and next(left, None) is None:
            raise KeyboardInterrupt
        index_add(connection, tenant, entries)

    index_add = index.add
    with monkeypatch.context() as then:
        then.setattr(backfill, "BATCH", 2)
        then.setattr(index, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            backfill.index_all(hospital.owner)
    assert 0 < len(hospital.rows()) < len(as_written)
    backfill.index_all(hospital.owner)
    assert hospital.rows() == as_written


def test_a_service_writes_on_meanwhile(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """It amends what has no entry yet and adds what is new: each has one entry, that of its last version."""
    monkeypatch.setattr(backfill, "BATCH", 1)
    tenant, database = hospital.tenant, hospital.database
    ids = [id for type, id, *_ in hospital.rows() if type == "Observation"]
    hospital.forget()

    def amend(n: int) -> None:
        observation = {"resourceType": "Observation", "id": ids[n % len(ids)], "status": "final", "n": n}
        with database.transaction(tenant) as connection:
            resources.put(connection, tenant, observation)
            event = balp.read(Exchange(US, US, US), f"Device/{n}")
            chain.append(connection, tenant, event)

    with ThreadPoolExecutor(3) as service:
        writes = [service.submit(amend, n) for n in range(30)]
        backfill.index_all(hospital.owner)
        for write in writes:
            write.result()
    with database.transaction(tenant) as connection:
        current = connection.execute(
            "SELECT type, id, last_updated FROM resource UNION ALL"
            " SELECT 'AuditEvent', id::text, recorded FROM audit_event ORDER BY 1, 2"
        ).fetchall()
        astray = "SELECT count(*) FROM search_term WHERE number NOT IN (SELECT number FROM search_row)"
        assert connection.execute(astray).fetchone() == (0,)
    assert sorted((row[0], row[1], row[3]) for row in hospital.rows()) == sorted(current)


def test_the_upgrade_does_it_once(hospital: Hospital, postgres: EmbeddedPostgres) -> None:
    as_written = hospital.rows()
    hospital.forget()
    with hospital.owner.connection() as connection:
        connection.execute("DELETE FROM schema_migration WHERE name = %s", (migrate.WHEN_INDEXED,))
    assert migrate.upgrade(postgres.admin_url, APPLICATION, MASTER) == [migrate.WHEN_INDEXED]
    assert hospital.rows() == as_written
