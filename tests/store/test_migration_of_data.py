"""A database of an earlier version, with rows in it: nothing is lost on the way here, and nothing left plain."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import orjson
import psycopg
import pytest

from cds.audit import chain
from cds.audit.verify import verify
from cds.store import cards, migrate, outbox, plain, prescreens, resources, scores
from tests.store.earlier import AT, CARD, FHIR, PRESCREEN, REPORT, SECRET, TENANTS, upgraded

EARLIER = [step.name for step in migrate.migrations() if "/" not in step.name][:-1]


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("before", EARLIER, indirect=True)
def test_from_each_earlier_version_everything_is_there_as_it_was(before: tuple[str, str], tenant: str) -> None:
    body = {"patient": SECRET, "tenant": tenant}
    with closing(upgraded(before)) as database, database.transaction(tenant) as connection:
        assert scores.get(connection, tenant, "k", "image") == body
        assert prescreens.get(connection, tenant, PRESCREEN) == body
        assert prescreens.of_patient(connection, tenant, FHIR, SECRET) == [body]
        report = resources.get(connection, tenant, "DiagnosticReport", "r-1")
        assert report is not None
        assert report["subject"] == {"reference": SECRET}
        assert resources.history(connection, tenant, "DiagnosticReport", "r-1") == [report]
        assert cards.get(connection, tenant, CARD) == {**body, "topic": "finding"}
        assert cards.feedback_of(connection, tenant, CARD) == [body]
        (due,) = outbox.due(connection, tenant)
        delivery = outbox.claim(connection, tenant, due)
        assert delivery is not None
        assert delivery.payload == body
        assert verify(connection, tenant).intact


def test_the_chain_goes_on_unbroken(before: tuple[str, str]) -> None:
    tenant = TENANTS[0]
    with closing(upgraded(before)) as database, database.transaction(tenant) as connection:
        chain.append(connection, tenant, {"resourceType": "AuditEvent", "id": str(uuid4()), "recorded": AT})
        found = verify(connection, tenant)
    assert (found.count, found.broken) == (4, None)


def test_nothing_is_left_plain(before: tuple[str, str]) -> None:
    upgraded(before).close()
    with psycopg.connect(before[0]) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for tenant in TENANTS:
            connection.execute("SELECT set_config('cds.tenant', %s, true)", (tenant,))
            for (table,) in tables:
                with connection.cursor() as cursor, cursor.copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as copy:
                    assert b"mrn-4711" not in b"".join(map(bytes, copy)), table


def test_what_the_version_before_writes_meanwhile_is_sealed_too(
    before: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It inserts, and it updates what is sealed already, until the moment at which its columns go."""
    tenant = TENANTS[0]
    sealed_all: Callable[..., None] = plain.seal_all

    def and_then_it_writes(connection: psycopg.Connection, master: object) -> None:
        sealed_all(connection, master)
        with psycopg.connect(before[0]) as service:
            service.execute("SELECT set_config('cds.tenant', %s, true)", (tenant,))
            service.execute(
                "INSERT INTO score (tenant, key, kind, body) VALUES (%s, 'late', 'note', '{\"p\": 1}')", (tenant,)
            )
            amended = orjson.dumps(REPORT | {"status": "final"}).decode()
            service.execute("UPDATE resource SET body = %s, version = 2 WHERE id = 'r-1'", (amended,))

    monkeypatch.setattr(plain, "seal_all", and_then_it_writes)
    with closing(upgraded(before)) as database, database.transaction(tenant) as connection:
        assert scores.get(connection, tenant, "late", "note") == {"p": 1}
        report = resources.get(connection, tenant, "DiagnosticReport", "r-1")
        assert report is not None
        assert (report["status"], report["meta"]["versionId"]) == ("final", "2")


def test_an_upgrade_cut_short_goes_on(before: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(connection: psycopg.Connection, master: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as then:
        then.setattr(plain, "seal_the_rest", killed)
        with pytest.raises(KeyboardInterrupt):
            upgraded(before)
    with closing(upgraded(before)) as database, database.transaction(TENANTS[0]) as connection:
        assert scores.get(connection, TENANTS[0], "k", "image") is not None


def test_a_development_keys_file_of_before_gets_a_master_key(tmp_path: Path) -> None:
    from cds.keys import Keys
    from cds.settings import Settings

    settings = Settings(data_dir=tmp_path)
    made = Keys.load(settings)
    held = orjson.loads((tmp_path / "keys.json").read_bytes())
    (tmp_path / "keys.json").write_bytes(orjson.dumps({k: v for k, v in held.items() if k != "master"}))
    keys = Keys.load(settings)
    assert keys.pseudonym == made.pseudonym
    assert len(keys.master) == 1
    assert Keys.load(settings).master == keys.master
