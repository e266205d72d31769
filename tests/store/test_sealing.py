"""Bodies are sealed to their tenant, their table and their row; keys are replaced while all stays readable."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest

from cds.audit import chain
from cds.audit.verify import verify
from cds.errors import ConfigurationError, IntegrityError
from cds.store import outbox, prescreens, resources, rotation, scores
from cds.store.database import Connection, Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.master_key import LocalMasterKey, MasterKeys
from cds.store.sealed_tables import BATCH, allow_sealing
from cds.store.sealing import KEY_ID, Keyring
from tests.master import MASTER

BODY = {"patient": "Patient/1"}
REPORT = {"resourceType": "DiagnosticReport", "id": "r-1", "status": "preliminary"}
ANOTHER_MASTER = LocalMasterKey(bytes(32))


@pytest.fixture
def owner(postgres: EmbeddedPostgres) -> Iterator[Database]:
    owner = Database(postgres.admin_url, Keyring(MASTER))
    yield owner
    owner.close()


def stored(connection: Connection) -> bytes:
    found = connection.execute("SELECT body FROM score").fetchone()
    assert found
    return bytes(found[0])


def filled(database: Database, tenant: str) -> None:
    """A row or more in every kind of table."""
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
        id = uuid4()
        prescreens.put(connection, tenant, id=id, key="k", patient="Patient/1", fhir_server="f", body=BODY)
        resources.put(connection, tenant, REPORT, patient="Patient/1")
        outbox.enqueue(connection, tenant, kind="k", destination="d", payload=BODY, idempotency_key="i")
        chain.append_many(connection, tenant, [event(n) for n in range(5)])


def event(n: int) -> dict[str, object]:
    return {"resourceType": "AuditEvent", "id": str(uuid4()), "recorded": "2026-01-02T03:04:05.000Z", "n": n}


def test_what_is_stored_does_not_show_what_it_says(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
        assert b"Patient" not in stored(connection)
        assert scores.get(connection, tenant, "key", "image") == BODY


def test_a_body_that_was_changed_does_not_open(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
        connection.execute("UPDATE score SET body = set_byte(body, 30, 255 - get_byte(body, 30))")
        with pytest.raises(IntegrityError, match="score"):
            scores.get(connection, tenant, "key", "image")


def test_a_body_moved_to_another_row_or_tenant_does_not_open(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
        sealed = stored(connection)
        connection.execute("UPDATE score SET kind = 'note'")
        with pytest.raises(IntegrityError):
            scores.get(connection, tenant, "key", "note")
    unknown = pytest.raises(IntegrityError, match="a key that the tenant does not have")
    with database.transaction(f"{tenant}-2") as connection, unknown:
        connection.sealer.open(("score", "key", "image"), sealed)


def test_a_blind_index_differs_by_tenant_and_not_by_process(
    database: Database, postgres: EmbeddedPostgres, tenant: str
) -> None:
    with database.transaction(tenant) as connection:
        index = connection.sealer.blind("Patient/1")
        assert index != connection.sealer.blind("Patient/2")
    with database.transaction(f"{tenant}-2") as connection:
        assert connection.sealer.blind("Patient/1") != index
    other = Database(postgres.app_url, Keyring(MASTER))
    with other.transaction(tenant) as connection:
        assert connection.sealer.blind("Patient/1") == index
    other.close()


def test_the_first_keys_of_a_tenant_outlive_a_rollback(database: Database, tenant: str) -> None:
    def begun_then_broken() -> None:
        with database.transaction(tenant) as connection:
            scores.put(connection, tenant, "key", "image", BODY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begun_then_broken()
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
    again = Database(database._url, Keyring(MASTER))
    with again.transaction(tenant) as connection:
        assert scores.get(connection, tenant, "key", "image") == BODY
    again.close()


def test_many_processes_at_once_agree_on_a_tenants_first_keys(postgres: EmbeddedPostgres, tenant: str) -> None:
    def begun(_: int) -> tuple[int, bytes]:
        one = Database(postgres.app_url, Keyring(MASTER), max_size=1)
        with one.transaction(tenant) as connection:
            known = connection.sealer.current, connection.sealer.blind("Patient/1")
        one.close()
        return known

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(begun, range(6)))) == 1


def test_another_master_key_opens_nothing(database: Database, postgres: EmbeddedPostgres, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", BODY)
    stranger = Database(postgres.app_url, Keyring(MasterKeys([ANOTHER_MASTER])))
    with pytest.raises(ConfigurationError, match="CDS_MASTER_KEY"), stranger.transaction(tenant) as connection:
        scores.get(connection, tenant, "key", "image")
    stranger.close()


class TestRotation:
    def test_every_row_is_sealed_anew_and_says_the_same(
        self, database: Database, owner: Database, tenant: str, only: Callable[[str], None]
    ) -> None:
        filled(database, tenant)
        with database.transaction(tenant) as connection:
            before, index = connection.sealer.current, connection.sealer.blind("Patient/1")
        only(tenant)
        rotation.rotate(owner, MASTER, lambda line: None)
        with database.transaction(tenant) as connection:
            assert connection.sealer.current != before
            assert int.from_bytes(stored(connection)[KEY_ID], "big") == connection.sealer.current
            assert connection.sealer.blind("Patient/1") == index
            assert scores.get(connection, tenant, "key", "image") == BODY
            assert prescreens.of_patient(connection, tenant, "f", "Patient/1") == [BODY]
            assert len(resources.history(connection, tenant, "DiagnosticReport", "r-1")) == 1
            assert (verify(connection, tenant).count, verify(connection, tenant).intact) == (5, True)

    def test_writers_go_on_and_the_chain_holds(
        self, database: Database, owner: Database, tenant: str, only: Callable[[str], None]
    ) -> None:
        def written(n: int) -> None:
            with database.transaction(tenant) as connection:
                scores.put(connection, tenant, f"key-{n}", "image", BODY)
                chain.append(connection, tenant, event(n))

        for n in range(20):
            written(n)
        only(tenant)
        with ThreadPoolExecutor(4) as pool:
            writing = [pool.submit(written, n) for n in range(20, 120)]
            rotation.rotate(owner, MASTER, lambda line: None)
            for each in writing:
                each.result()
        with database.transaction(tenant) as connection:
            assert all(scores.get(connection, tenant, f"key-{n}", "image") == BODY for n in range(120))
            assert (verify(connection, tenant).count, verify(connection, tenant).intact) == (120, True)

    def test_what_was_cut_short_goes_on_with_the_same_key(
        self,
        database: Database,
        owner: Database,
        tenant: str,
        only: Callable[[str], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with database.transaction(tenant) as connection:
            for n in range(BATCH + 10):
                scores.put(connection, tenant, f"key-{n}", "image", BODY)
        only(tenant)
        real, calls = rotation.rewrite_batch, []

        def killed(*arguments: object) -> object:
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(rotation, "rewrite_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(owner, MASTER, lambda line: None)
        with database.transaction(tenant) as connection:
            midway = connection.sealer.current
            assert keys_in_use(connection) == {True: BATCH, False: 10}
            assert scores.get(connection, tenant, f"key-{BATCH}", "image") == BODY
        monkeypatch.undo()
        only(tenant)
        rotation.rotate(owner, MASTER, lambda line: None)
        with database.transaction(tenant) as connection:
            assert connection.sealer.current == midway
            assert keys_in_use(connection) == {True: BATCH + 10}

    def test_a_retired_key_is_removed_by_a_later_rotation(
        self, database: Database, owner: Database, tenant: str, only: Callable[[str], None]
    ) -> None:
        filled(database, tenant)
        only(tenant)
        rotation.rotate(owner, MASTER, lambda line: None)
        with owner.transaction(tenant) as connection:
            assert keys_held(connection) == 3  # two that seal, and the index
            connection.execute("UPDATE data_key SET retired_at = retired_at - interval '2 hours'")
            connection.execute("UPDATE data_key SET emptied_at = emptied_at - interval '2 hours'")
        rotation.rotate(owner, MASTER, lambda line: None)
        with owner.transaction(tenant) as connection:
            assert keys_held(connection) == 3  # the first is gone, the second retired
        with Database(database._url, Keyring(MASTER)).transaction(tenant) as connection:
            assert scores.get(connection, tenant, "key", "image") == BODY

    def test_after_wrapping_anew_the_old_master_key_is_not_needed(
        self, database: Database, owner: Database, tenant: str, only: Callable[[str], None]
    ) -> None:
        filled(database, tenant)
        only(tenant)
        rotation.rewrap(owner, MasterKeys([ANOTHER_MASTER, MASTER]))
        renewed = Database(database._url, Keyring(MasterKeys([ANOTHER_MASTER])))
        with renewed.transaction(tenant) as connection:
            assert scores.get(connection, tenant, "key", "image") == BODY
        renewed.close()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Rotation sees one tenant: the others of the run are left alone."""
    return lambda tenant: monkeypatch.setattr(Database, "tenants", lambda self: [tenant])


def keys_held(connection: Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM data_key").fetchone() or (0,)
    return int(count)


def keys_in_use(connection: Connection) -> dict[bool, int]:
    """How many scores the current key sealed, and how many another did."""
    current = connection.sealer.current.to_bytes(4, "big")
    found = connection.execute("SELECT substr(body, 2, 4) = %s, count(*) FROM score GROUP BY 1", (current,))
    return dict(found.fetchall())


@pytest.mark.parametrize("statement", ["UPDATE data_key SET wrapped = ''", "DELETE FROM data_key"])
def test_the_application_cannot_change_keys(database: Database, tenant: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction(tenant) as connection:
        connection.execute(statement.encode())


def test_the_owner_may_seal_audit_anew_and_change_nothing_else(
    database: Database, owner: Database, tenant: str
) -> None:
    filled(database, tenant)
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege, match="sealed body alone")
    with refused, owner.transaction(tenant) as connection:
        allow_sealing(connection)
        connection.execute("UPDATE audit_event SET recorded = now()")
