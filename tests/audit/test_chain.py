"""The audit trail: added to and never changed; what is bent all the same is found and named."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from cds.audit import balp, chain
from cds.audit.verify import Damage, verify
from cds.store.database import Connection, Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.sealing import Keyring
from tests.master import MASTER

US = balp.Party("sightline", "https://cds.example")
EHR = balp.Party("https://ehr.example/fhir", "https://ehr.example/fhir")
EXCHANGE = balp.Exchange(client=US, server=EHR, observer=US)


def event(n: int = 1) -> balp.Event:
    return balp.patient_read(EXCHANGE, f"Patient/{n}", "ImagingStudy/2")


def append(database: Database, tenant: str, count: int) -> list[UUID]:
    with database.transaction(tenant) as connection:
        return chain.append_many(connection, tenant, [event(n) for n in range(count)])


def test_each_hash_covers_the_one_before_tenant_place_and_text(database: Database, tenant: str) -> None:
    ids = append(database, tenant, 2) + append(database, tenant, 1)
    assert len(set(ids)) == 3
    with database.transaction(tenant) as connection:
        before = bytes(32)
        for n, row in enumerate(chain.rows(connection, tenant), start=1):
            assert row.line is not None
            assert row.seq == n
            assert row.previous_hash == before
            assert row.hash == hashlib.sha256(before + f"{tenant}\0{n}\0".encode() + row.line).digest()
            before = row.hash
        found = verify(connection, tenant)
    assert found.intact
    assert (found.count, found.head) == (3, before)


def test_an_empty_trail_is_intact(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        found = verify(connection, tenant)
    assert (found.count, found.intact) == (0, True)


def test_the_text_is_canonical() -> None:
    assert chain.canonical({"b": "é\0\ud800", "a": [1, None]}) == '{"a":[1,null],"b":"\\u00e9\\u0000\\ud800"}'


def test_an_event_is_there_with_what_it_records_or_not_at_all(database: Database, tenant: str) -> None:
    def recorded_then_broken() -> None:
        with database.transaction(tenant) as connection:
            chain.append(connection, tenant, event())
            raise ZeroDivisionError

    append(database, tenant, 1)
    with pytest.raises(ZeroDivisionError):
        recorded_then_broken()
    append(database, tenant, 1)
    with database.transaction(tenant) as connection:
        found = verify(connection, tenant)
    assert (found.count, found.intact) == (2, True)


def test_concurrent_writers_do_not_fork_the_chain(database: Database, tenant: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = [id for added in pool.map(lambda _: append(database, tenant, 3), range(40)) for id in added]
    with database.transaction(tenant) as connection:
        found = verify(connection, tenant)
    assert (found.count, found.intact, len(set(ids))) == (120, True, 120)


def test_a_trail_is_intact_while_others_add_to_it(database: Database, tenant: str) -> None:
    append(database, tenant, 200)
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(lambda: [append(database, tenant, 1) for _ in range(50)])
        while not adding.done():
            with database.transaction(tenant) as connection:
                assert verify(connection, tenant).intact


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET body = ''",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "UPDATE audit_head SET seq = 0",
        "ALTER TABLE audit_event DISABLE TRIGGER USER",
        "DROP TABLE audit_event",
    ],
)
def test_the_application_can_only_add(database: Database, tenant: str, statement: str) -> None:
    append(database, tenant, 1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction(tenant) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_event SET body = ''", "DELETE FROM audit_event", "TRUNCATE audit_event"]
)
def test_a_slip_of_the_owner_is_refused_too(postgres: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(postgres.admin_url) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(statement.encode())


@pytest.fixture
def intruder(postgres: EmbeddedPostgres, tenant: str, database: Database) -> Iterator[Connection]:
    """The owner of the tables with the triggers switched off, and a trail of ten events; undone after the test."""
    append(database, tenant, 10)
    owner = Database(postgres.admin_url, Keyring(MASTER))
    with owner.transaction(tenant) as connection:
        connection.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        connection.execute("ALTER TABLE audit_head DISABLE TRIGGER USER")
        connection.execute("ALTER TABLE audit_event DROP CONSTRAINT audit_event_pkey")
        yield connection
        connection.rollback()
    owner.close()


def forged(connection: Connection, tenant: str, seq: int) -> None:
    """A new event at ``seq`` that follows the one before it, with a hash that is right."""
    (previous,) = connection.execute("SELECT hash FROM audit_event WHERE seq = %s", (seq - 1,)).fetchone() or (
        b"",
    )
    made = event(99)
    line = chain.canonical(made).encode()
    connection.execute(
        "INSERT INTO audit_event (tenant, seq, id, recorded, previous_hash, hash, body)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            tenant,
            seq,
            made["id"],
            made["recorded"],
            previous,
            chain.link(previous, tenant, seq, line),
            connection.sealer.seal(chain.place(seq), line),
        ),
    )


def moved(connection: Connection, seq: int, to: int) -> None:
    """Give an event another place, sealed anew, as who has the keys could."""
    (sealed,) = connection.execute("SELECT body FROM audit_event WHERE seq = %s", (seq,)).fetchone() or (b"",)
    line = connection.sealer.open(chain.place(seq), sealed)
    connection.execute(
        "UPDATE audit_event SET seq = %s, body = %s WHERE seq = %s",
        (to, connection.sealer.seal(chain.place(to), line), seq),
    )


def rewritten(connection: Connection, tenant: str) -> None:
    """Another patient in the fifth event, sealed as it should be."""
    (sealed,) = connection.execute("SELECT body FROM audit_event WHERE seq = 5").fetchone() or (b"",)
    line = connection.sealer.open(chain.place(5), sealed).replace(b"Patient/4", b"Patient/5")
    connection.execute(
        "UPDATE audit_event SET body = %s WHERE seq = 5", (connection.sealer.seal(chain.place(5), line),)
    )


def dropped_and_moved_up(connection: Connection, tenant: str) -> None:
    connection.execute("DELETE FROM audit_event WHERE seq = 5")
    for seq in range(6, 11):
        moved(connection, seq, seq - 1)


def swapped(connection: Connection, tenant: str) -> None:
    moved(connection, 5, 99)
    moved(connection, 6, 5)
    moved(connection, 99, 6)


def inserted_in_the_middle(connection: Connection, tenant: str) -> None:
    for seq in range(10, 4, -1):
        moved(connection, seq, seq + 1)
    forged(connection, tenant, 5)


def sql(statement: str) -> Callable[[Connection, str], None]:
    return lambda connection, _: [connection.execute(part.encode()) for part in statement.split(";")] and None


TAMPERING: dict[str, tuple[Callable[[Connection, str], None], int, Damage]] = {
    "text changed": (
        rewritten,
        5,
        Damage.CHANGED,
    ),
    "seal broken": (sql("UPDATE audit_event SET body = set_byte(body, 40, 7) WHERE seq = 5"), 5, Damage.CHANGED),
    "body of another": (
        sql("UPDATE audit_event SET body = (SELECT body FROM audit_event WHERE seq = 6) WHERE seq = 5"),
        5,
        Damage.CHANGED,
    ),
    "hash changed": (sql("UPDATE audit_event SET hash = sha256('x') WHERE seq = 5"), 5, Damage.CHANGED),
    "time changed": (
        sql("UPDATE audit_event SET recorded = now() - interval '1 day' WHERE seq = 5"),
        5,
        Damage.CHANGED,
    ),
    "id changed": (sql("UPDATE audit_event SET id = gen_random_uuid() WHERE seq = 5"), 5, Damage.CHANGED),
    "first dropped": (sql("DELETE FROM audit_event WHERE seq = 1"), 1, Damage.DROPPED),
    "one dropped": (sql("DELETE FROM audit_event WHERE seq = 5"), 5, Damage.DROPPED),
    "one dropped, the rest moved up": (
        dropped_and_moved_up,
        5,
        Damage.DROPPED,
    ),
    "the last dropped": (sql("DELETE FROM audit_event WHERE seq = 10"), 10, Damage.DROPPED),
    "all dropped": (sql("DELETE FROM audit_event"), 1, Damage.DROPPED),
    "two swapped": (
        swapped,
        5,
        Damage.REORDERED,
    ),
    "one inserted at the end": (lambda connection, tenant: forged(connection, tenant, 11), 11, Damage.INSERTED),
    "one inserted in the middle": (inserted_in_the_middle, 5, Damage.INSERTED),
    "the head changed": (sql("UPDATE audit_head SET hash = sha256('x')"), 10, Damage.CHANGED),
    "the head dropped": (sql("DELETE FROM audit_head"), 1, Damage.INSERTED),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_and_named(intruder: Connection, tenant: str, name: str) -> None:
    tamper, seq, damage = TAMPERING[name]
    assert verify(intruder, tenant).intact
    tamper(intruder, tenant)
    found = verify(intruder, tenant)
    assert found.broken is not None
    assert (found.broken.seq, found.broken.damage) == (seq, damage)
    assert str(found.broken) == f"event {seq} was {damage}"


def test_a_tenant_sees_its_own_trail_alone(database: Database, tenant: str) -> None:
    append(database, tenant, 3)
    with database.transaction("another tenant") as connection:
        assert verify(connection, tenant).count == 0
        assert connection.execute("SELECT count(*) FROM audit_event").fetchone() == (0,)
