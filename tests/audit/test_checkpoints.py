"""What was signed cannot be rewritten, not even with the whole database in hand; an export stands by itself."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from joserfc.jwk import ECKey, KeySet

from cds.audit import balp, chain, checkpoint
from cds.audit.export import export, verify_file
from cds.audit.verify import Damage, verify
from cds.errors import IntegrityError
from cds.store.database import Connection, Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.sealing import Keyring
from cds.worker.checkpoints import Checkpoints
from tests.master import MASTER

US = balp.Party("sightline", "https://cds.example")
EXCHANGE = balp.Exchange(client=US, server=US, observer=US)
KEYS = KeySet([ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)])
OTHERS_KEYS = KeySet([ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)])


def append(database: Database, tenant: str, count: int) -> None:
    with database.transaction(tenant) as connection:
        chain.append_many(
            connection,
            tenant,
            [balp.patient_read(EXCHANGE, f"Patient/{n}", "ImagingStudy/2") for n in range(count)],
        )


def signed(database: Database, tenant: str) -> str | None:
    with database.transaction(tenant) as connection:
        return checkpoint.make(connection, tenant, KEYS)


@pytest.fixture
def intruder(postgres: EmbeddedPostgres, tenant: str, database: Database) -> Iterator[Connection]:
    """Who has the database, its owner's password and the tenant's keys, but not the key that signs."""
    append(database, tenant, 5)
    signed(database, tenant)
    append(database, tenant, 5)
    owner = Database(postgres.admin_url, Keyring(MASTER))
    with owner.transaction(tenant) as connection:
        for table in ("audit_event", "audit_head", "audit_checkpoint"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        yield connection
        connection.rollback()
    owner.close()


def rewritten_from(connection: Connection, tenant: str, first: int) -> None:
    """The event ``first`` tells another story, and every hash from there to the head is right again."""
    kept = list(chain.rows(connection, tenant))
    previous = kept[first - 1].previous_hash
    for row in kept[first - 1 :]:
        assert row.line
        line = row.line.replace(b"Patient/", b"Patient/x") if row.seq == first else row.line
        digest = chain.link(previous, tenant, row.seq, line)
        connection.execute(
            "UPDATE audit_event SET previous_hash = %s, hash = %s, body = %s WHERE seq = %s",
            (previous, digest, connection.sealer.seal(chain.place(row.seq), line), row.seq),
        )
        previous = digest
    connection.execute("UPDATE audit_head SET hash = %s", (previous,))


def cut_to(connection: Connection, seq: int) -> None:
    connection.execute("DELETE FROM audit_event WHERE seq > %s", (seq,))
    connection.execute(
        "UPDATE audit_head SET seq = %s, hash = (SELECT hash FROM audit_event WHERE seq = %s)", (seq, seq)
    )


def test_a_rewritten_chain_shows_only_against_the_checkpoint(intruder: Connection, tenant: str) -> None:
    rewritten_from(intruder, tenant, 3)
    assert verify(intruder, tenant).intact
    found = verify(intruder, tenant, checkpoint.trusted(intruder, tenant, KEYS))
    assert found.broken is not None
    assert (found.broken.seq, found.broken.damage) == (5, Damage.CHANGED)


def test_a_chain_cut_off_with_its_head_is_too_short_for_the_checkpoint(intruder: Connection, tenant: str) -> None:
    cut_to(intruder, 3)
    assert verify(intruder, tenant).intact
    found = verify(intruder, tenant, checkpoint.trusted(intruder, tenant, KEYS))
    assert str(found.broken) == "event 4 was dropped"


def test_a_checkpoint_kept_elsewhere_outlives_those_in_the_database(
    intruder: Connection, tenant: str, database: Database
) -> None:
    (kept,) = intruder.execute("SELECT jws FROM audit_checkpoint").fetchone() or ("",)
    intruder.execute("DELETE FROM audit_checkpoint")
    cut_to(intruder, 3)
    assert verify(intruder, tenant, checkpoint.trusted(intruder, tenant, KEYS)).intact
    found = verify(intruder, tenant, checkpoint.trusted(intruder, tenant, KEYS, elsewhere=[kept]))
    assert str(found.broken) == "event 4 was dropped"


def test_a_checkpoint_of_another_key_or_tenant_is_refused(intruder: Connection, tenant: str) -> None:
    anchor = checkpoint.trusted(intruder, tenant, KEYS, since_last=True).start
    for forged in (
        checkpoint.sign(OTHERS_KEYS, tenant, anchor),
        checkpoint.sign(KEYS, "another tenant", anchor),
        "no.such.thing",
    ):
        with pytest.raises(IntegrityError, match="not one that we signed"):
            checkpoint.read(KEYS, tenant, forged)
    intruder.execute("UPDATE audit_checkpoint SET seq = 6")
    with pytest.raises(IntegrityError, match="signed for another"):
        checkpoint.trusted(intruder, tenant, KEYS)


def test_since_the_last_checkpoint_only_the_rest_is_looked_at(intruder: Connection, tenant: str) -> None:
    trust = checkpoint.trusted(intruder, tenant, KEYS, since_last=True)
    assert trust.start.seq == 5
    intruder.execute("UPDATE audit_event SET recorded = now() WHERE seq = 2")
    assert (verify(intruder, tenant, trust).start, verify(intruder, tenant, trust).count) == (5, 10)
    intruder.execute("UPDATE audit_event SET recorded = now() WHERE seq = 7")
    assert str(verify(intruder, tenant, trust).broken) == "event 7 was changed"


def test_what_is_bent_is_not_signed(intruder: Connection, tenant: str) -> None:
    intruder.execute("DELETE FROM audit_event WHERE seq = 7")
    with pytest.raises(IntegrityError, match="event 7 was dropped"):
        checkpoint.make(intruder, tenant, KEYS)


def test_nothing_new_is_nothing_to_sign(database: Database, tenant: str) -> None:
    assert signed(database, tenant) is None
    append(database, tenant, 1)
    assert signed(database, tenant)
    assert signed(database, tenant) is None


@pytest.mark.parametrize("statement", ["UPDATE audit_checkpoint SET jws = ''", "DELETE FROM audit_checkpoint"])
def test_the_application_cannot_change_checkpoints(database: Database, tenant: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction(tenant) as connection:
        connection.execute(statement.encode())


def test_the_worker_signs_and_logs_and_a_broken_chain_does_not_stop_it(
    postgres: EmbeddedPostgres,
    database: Database,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = f"{tenant}-broken"
    append(database, broken, 2)
    append(database, tenant, 2)
    owner = Database(postgres.admin_url, Keyring(MASTER))
    with owner.transaction(broken) as connection:
        connection.execute("SELECT set_config('cds.maintenance', 'purge', true)")
        connection.execute("DELETE FROM audit_event WHERE seq = 1")
    owner.close()
    monkeypatch.setattr(Database, "tenants", lambda self: [broken, tenant])
    with caplog.at_level(logging.INFO, "cds.worker.checkpoints"):
        Checkpoints(database, KEYS)()
    first, second = (record.getMessage() for record in caplog.records)
    assert first == f"the audit trail of {broken} does not hold: event 1 was dropped"
    assert checkpoint.read(KEYS, tenant, second.rpartition(": ")[2]).seq == 2


Lines = list[dict[str, Any]]


@pytest.fixture
def exported(database: Database, tenant: str, tmp_path: Path) -> Path:
    """A chain of six events in a file."""
    append(database, tenant, 6)
    written = io.StringIO()
    with database.transaction(tenant) as connection:
        assert export(connection, tenant, KEYS, US, written) == 6
    path = tmp_path / "audit.ndjson"
    path.write_text(written.getvalue())
    return path


def changed(path: Path, change: Callable[[Lines], Lines]) -> Path:
    lines = change([json.loads(line) for line in path.read_text().splitlines()])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def another_patient(lines: Lines) -> Lines:
    lines[3]["event"]["entity"][1]["what"]["reference"] = "Patient/other"
    return lines


def test_an_export_holds_by_itself(exported: Path, tenant: str) -> None:
    name, found = verify_file(exported, KEYS)
    assert (name, found.count, found.broken) == (tenant, 6, None)


def test_that_it_was_exported_is_in_the_trail(exported: Path, database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        *_, last = chain.rows(connection, tenant)
        assert verify(connection, tenant).count == 7
    assert last.line
    job = chain.event_of(last.line)["entity"][0]
    assert job["what"]["identifier"]["value"] == "audit-export"
    assert job["detail"] == [{"type": "events", "valueString": "6"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (another_patient, "event 3 was changed"),
        (lambda lines: [*lines[:3], *lines[4:]], "event 3 was dropped"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "event 3 was dropped"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], "event 3 was inserted"),
        (lambda lines: [*lines[:6], lines[7]], "event 6 was dropped"),
        (lambda lines: lines[:-1], "event 7 was dropped"),
        (lambda lines: lines[:4], "event 4 was dropped"),
        (lambda lines: [*lines[:3], {"seq": 3}, *lines[4:]], "event 3 was"),
    ],
)
def test_a_change_of_the_file_is_found_and_named(
    exported: Path, change: Callable[[Lines], Lines], said: str
) -> None:
    _, found = verify_file(changed(exported, change), KEYS)
    assert said in str(found.broken)


def test_an_export_without_our_signature_is_refused(exported: Path) -> None:
    with pytest.raises(IntegrityError, match="not one that we signed"):
        verify_file(exported, OTHERS_KEYS)


@pytest.mark.parametrize("text", ["", "{}", "not JSON", "[1]", '{"format": "sightline-audit-1"}'])
def test_what_is_no_export(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(IntegrityError):
        verify_file(tmp_path / "file", KEYS)
