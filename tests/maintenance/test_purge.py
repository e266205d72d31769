"""What is over by the policy goes, what is not stays, and the audit trail holds before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from joserfc.jwk import ECKey, KeySet

from cds.audit import chain, checkpoint
from cds.audit.trail import OnBehalf, Trail, party
from cds.audit.verify import verify
from cds.errors import ConfigurationError, IntegrityError
from cds.findings import Prescreen
from cds.maintenance import patient, purge
from cds.maintenance.patient import Whose
from cds.maintenance.purge import AUDIT, Policy
from cds.reporting.record import Record, kept, reported
from cds.settings import Settings
from cds.store import audit_feed, cards, outbox, prescreens, resources, scores
from cds.store.database import Connection, Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.sealed_tables import AUDIT_EVENT, SEALED_TABLES
from cds.store.sealing import Keyring
from tests.master import MASTER
from tests.opened import events
from tests.prescreens import prescreen

US = party("https://cds.example")
KEYS = KeySet([ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)])
YEAR = Policy(scores=365, deliveries=365, results=365, audit=730)
AGES = {
    "score": "created_at",
    "outbox": "delivered_at",
    "card": "created_at",
    "prescreen": "created_at",
    "resource": "last_updated",
}


@pytest.fixture
def owner(postgres: EmbeddedPostgres) -> Iterator[Database]:
    owner = Database(postgres.admin_url, Keyring(MASTER))
    yield owner
    owner.close()


def made(database: Database, tenant: str, patient_id: str = "p1") -> Prescreen:
    """A prescreen with report, card, feedback and delivery, and a score."""
    given = prescreen(tenant=tenant, id=str(uuid4()), key=str(uuid4()), patient=f"Patient/{patient_id}")
    trail = Trail(US, OnBehalf())
    Record(database).write(tenant, trail, kept(given, trail), reported(given, trail))
    card = uuid4()
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, given.key, "image", {"p": 1})
        cards.put(connection, tenant, uuid=card, service="s", topic="t", body={"n": 1}, prescreen=UUID(given.id))
        cards.feedback(
            connection,
            tenant,
            card=card,
            outcome="accepted",
            outcome_timestamp=datetime.now(UTC),
            body={"n": 2},
        )
        for id in outbox.due(connection, tenant):
            outbox.delivered(connection, tenant, id)
    return given


def aged(owner: Database, tenant: str, years: int) -> None:
    """As if all but the audit trail were so much older."""
    with owner.transaction(tenant) as connection:
        for table, column in AGES.items():
            connection.execute(
                f"UPDATE {table} SET {column} = {column} - make_interval(years => %s)".encode(), (years,)
            )


def audited_long_ago(database: Database, tenant: str, count: int) -> None:
    old = [
        {"resourceType": "AuditEvent", "id": str(uuid4()), "recorded": "2019-01-02T03:04:05.000Z"}
        for _ in range(count)
    ]
    with database.transaction(tenant) as connection:
        chain.append_many(connection, tenant, old)


def signed(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        assert checkpoint.make(connection, tenant, KEYS)


def rows(connection: Connection) -> dict[str, int]:
    found = {}
    for table in SEALED_TABLES:
        (found[table.name],) = connection.execute(f"SELECT count(*) FROM {table.name}".encode()).fetchone() or (0,)
    return found


def indexed(connection: Connection) -> set[tuple[str, str]]:
    """What can be found; no term leads anywhere else."""
    astray = "SELECT count(*) FROM search_term WHERE number NOT IN (SELECT number FROM search_row)"
    assert connection.execute(astray).fetchone() == (0,)
    return set(connection.execute("SELECT type, id FROM search_row").fetchall())


def current(connection: Connection) -> set[tuple[str, str]]:
    held = "SELECT type, id FROM resource UNION ALL SELECT 'AuditEvent', id::text FROM audit_event"
    return set(connection.execute(held).fetchall())


def test_what_is_over_goes_and_what_is_not_stays(database: Database, owner: Database, tenant: str) -> None:
    made(database, tenant)
    aged(owner, tenant, years=2)
    young = made(database, tenant)
    with database.transaction(tenant) as connection:
        before = rows(connection)
    removed = purge.purge(owner, tenant, YEAR, KEYS, US)
    with database.transaction(tenant) as connection:
        after = rows(connection)
        assert indexed(connection) == current(connection)
        assert prescreens.get(connection, tenant, UUID(young.id)) is not None
        assert verify(connection, tenant).intact
        last = events(connection, tenant)[-1]
    devices = 2
    for table in ("score", "outbox", "feedback", "card", "prescreen"):
        assert (before[table], after[table]) == (2, 1), table
    assert before["resource"] - after["resource"] == removed["resources"] == (before["resource"] - devices) / 2
    assert last["entity"][0]["what"]["identifier"]["value"] == "purge"
    assert {"type": "prescreens", "valueString": "1"} in last["entity"][0]["detail"]


def test_a_dry_run_says_the_same_and_removes_nothing(database: Database, owner: Database, tenant: str) -> None:
    made(database, tenant)
    aged(owner, tenant, years=2)
    audited_long_ago(database, tenant, 3)
    signed(database, tenant)
    with database.transaction(tenant) as connection:
        before = rows(connection)
    counts = purge.over(owner, tenant, YEAR)
    with database.transaction(tenant) as connection:
        assert rows(connection) == before
    removed = purge.purge(owner, tenant, YEAR, KEYS, US)
    assert counts | {"prescreens": 1} == removed  # a card that is still there holds its prescreen


def test_for_good_is_for_good(database: Database, owner: Database, tenant: str) -> None:
    made(database, tenant)
    aged(owner, tenant, years=50)
    assert purge.purge(owner, tenant, Policy(0, 0, 0, 0), KEYS, US) == {}


def test_what_was_not_delivered_is_kept(database: Database, owner: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        outbox.enqueue(connection, tenant, kind="k", destination="d", payload={}, idempotency_key="i")
    with owner.transaction(tenant) as connection:
        connection.execute("UPDATE outbox SET created_at = created_at - interval '50 years'")
    assert purge.purge(owner, tenant, YEAR, KEYS, US)["deliveries"] == 0


class TestAudit:
    def test_what_lies_before_a_checkpoint_goes_and_the_rest_verifies(
        self, database: Database, owner: Database, tenant: str
    ) -> None:
        audited_long_ago(database, tenant, 5)
        signed(database, tenant)
        audited_long_ago(database, tenant, 3)  # no checkpoint stands after these
        assert purge.purge(owner, tenant, YEAR, KEYS, US)[AUDIT] == 5
        with database.transaction(tenant) as connection:
            assert rows(connection)[AUDIT_EVENT.name] == 4
            assert indexed(connection) == current(connection)
            trust = checkpoint.trusted(connection, tenant, KEYS)
            found = verify(connection, tenant, trust)
            assert (found.start, found.count, found.broken) == (5, 9, None)

    def test_another_beginning_than_the_signed_one_is_found(
        self, database: Database, owner: Database, tenant: str
    ) -> None:
        audited_long_ago(database, tenant, 5)
        signed(database, tenant)
        audited_long_ago(database, tenant, 3)
        purge.purge(owner, tenant, YEAR, KEYS, US)
        with owner.transaction(tenant) as connection:
            connection.execute("SELECT set_config('cds.maintenance', 'purge', true)")
            connection.execute("DELETE FROM audit_event WHERE seq = 6")
            found = verify(connection, tenant, checkpoint.trusted(connection, tenant, KEYS))
            assert str(found.broken) == "event 6 was dropped"
            connection.rollback()

    def test_nothing_goes_where_the_trail_does_not_hold(
        self, database: Database, owner: Database, tenant: str
    ) -> None:
        made(database, tenant)
        aged(owner, tenant, years=2)
        signed(database, tenant)
        with owner.transaction(tenant) as connection:
            connection.execute("SELECT set_config('cds.maintenance', 'purge', true)")
            connection.execute("DELETE FROM audit_event WHERE seq = 1")
        with pytest.raises(IntegrityError, match="nothing is purged"):
            purge.purge(owner, tenant, YEAR, KEYS, US)
        with database.transaction(tenant) as connection:
            assert rows(connection)["prescreen"] == 1

    def test_what_a_repository_has_not_taken_yet_stays(
        self, database: Database, owner: Database, tenant: str
    ) -> None:
        audited_long_ago(database, tenant, 3)
        signed(database, tenant)
        audited_long_ago(database, tenant, 3)
        signed(database, tenant)
        forwarded = replace(YEAR, forwarded_to="https://arr.example/fhir")
        assert purge.purge(owner, tenant, forwarded, KEYS, US)[AUDIT] == 0
        with database.transaction(tenant) as connection:
            audit_feed.claim(connection, tenant, forwarded.forwarded_to)
            audit_feed.taken(connection, tenant, forwarded.forwarded_to, 4)
        assert purge.over(owner, tenant, forwarded)[AUDIT] == 3
        assert purge.purge(owner, tenant, forwarded, KEYS, US)[AUDIT] == 3

    @pytest.mark.parametrize("days", [{"keep_results_days": 0}, {"keep_results_days": 400}])
    def test_it_is_not_kept_shorter_than_what_it_tells_of(self, days: dict[str, int]) -> None:
        with pytest.raises(ConfigurationError, match="CDS_KEEP_AUDIT_DAYS"):
            Policy.from_settings(Settings(keep_audit_days=365, **days))


class TestOnePatient:
    def test_everything_is_given_out(
        self, database: Database, owner: Database, tenant: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        import json

        ours, _ = made(database, tenant, "p1"), made(database, tenant, "p2")
        whose = Whose(tenant, ours.fhir_server, "Patient/p1")
        path = tmp_path_factory.mktemp("patient") / "p1.ndjson"
        with path.open("wb") as file, database.transaction(tenant) as connection:
            counts = patient.export(connection, whose, US, file)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert "Patient/p2" not in path.read_text()
        assert counts["prescreen"] == counts["card"] == counts["feedback"] == 1
        assert {line["content"]["resourceType"] for line in lines if line["kind"] == "resource"} == {
            "DiagnosticReport",
            "Observation",
            "Provenance",
            "Task",
        }
        assert counts["audit"] >= 2

    def test_everything_but_the_audit_trail_is_removed_and_nothing_of_another(
        self, database: Database, owner: Database, tenant: str
    ) -> None:
        ours, others = made(database, tenant, "p1"), made(database, tenant, "p2")
        with owner.transaction(tenant) as connection:
            patient.delete(connection, Whose(tenant, ours.fhir_server, "Patient/p1"), US)
        with database.transaction(tenant) as connection:
            after = rows(connection)
            assert indexed(connection) == current(connection)
            assert prescreens.get(connection, tenant, UUID(ours.id)) is None
            assert prescreens.get(connection, tenant, UUID(others.id)) is not None
            index = connection.sealer.blind("Patient/p1")
            left = connection.execute("SELECT count(*) FROM resource WHERE patient = %s", (index,)).fetchone()
            assert left == (0,)
            assert [after[t] for t in ("score", "card", "feedback", "outbox")] == [0, 1, 1, 1]
            assert verify(connection, tenant).intact
            assert resources.get(connection, tenant, "Device", _device(connection)) is not None
            last = events(connection, tenant)[-1]
        assert "patient-delete" in str(last)


def _device(connection: Connection) -> str:
    found = connection.execute("SELECT id FROM resource WHERE type = 'Device' LIMIT 1").fetchone()
    assert found
    return str(found[0])
