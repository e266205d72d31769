"""SQL as the application's role: nothing of another tenant is seen, changed or forged."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from cds.audit import chain, checkpoint
from cds.store import audit_feed, cards, exports, outbox, prescreens, resources, reviews, scores, withdrawn_models
from cds.store.database import Connection, Database
from cds.store.migrate import GRANTS
from tests.audit.test_checkpoints import KEYS

OF_TENANTS = sorted(
    table
    for table in GRANTS
    if table not in ("schema_migration", "tenant") and not table.startswith("procrastinate_")
)
EXPORT = UUID(int=1)
EMPTY_FOR_MOST = {"audit_floor"}
AUDIT = ("audit_event", "audit_head", "audit_checkpoint", "audit_floor")


@pytest.fixture
def filled(database: Database, tenant: str) -> str:
    """A tenant with a row in every table."""
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", {})
        prescreen = uuid4()
        prescreens.put(connection, tenant, id=prescreen, key="k", patient="Patient/1", fhir_server="f", body={})
        reviews.put(connection, tenant, id=uuid4(), prescreen=prescreen, body={})
        device = {"resourceType": "Device", "id": "d", "identifier": [{"value": "i"}]}
        resources.put(connection, tenant, device, patient="Patient/1")
        exports.create(connection, tenant, id=EXPORT, owner="o", request="r", types=["Device"])
        export = exports.claim(connection, tenant, EXPORT)
        assert export
        exports.write_files(connection, tenant, export)
        card, now = uuid4(), datetime.now(UTC)
        cards.put(connection, tenant, uuid=card, service="s", topic="t", body={})
        cards.feedback(connection, tenant, card=card, outcome="accepted", outcome_timestamp=now, body={})
        outbox.enqueue(connection, tenant, kind="k", destination="d", payload={}, idempotency_key="i")
        chain.append(
            connection,
            tenant,
            {"resourceType": "AuditEvent", "id": str(uuid4()), "recorded": "2026-01-02T03:04:05.000Z"},
        )
        assert checkpoint.make(connection, tenant, KEYS)
        withdrawn_models.add(connection, tenant, "digest")
        assert audit_feed.claim(connection, tenant, "https://arr.example") == 0
    return tenant


@pytest.fixture
def another(database: Database, filled: str) -> Iterator[Connection]:
    """A transaction of a tenant that has nothing."""
    with database.transaction(f"other than {filled}") as connection:
        yield connection
        connection.rollback()


def count(connection: Connection, table: str, tenant: str) -> int:
    query = f"SELECT count(*) FROM {table} WHERE tenant = %s".encode()
    (found,) = connection.execute(query, (tenant,)).fetchone() or (0,)
    return int(found)


@pytest.mark.parametrize("table", OF_TENANTS)
def test_another_tenants_rows_are_not_seen(
    database: Database, filled: str, another: Connection, table: str
) -> None:
    assert count(another, table, filled) == 0
    with database.transaction(filled) as connection:
        assert count(connection, table, filled) > 0 or table in EMPTY_FOR_MOST


@pytest.mark.parametrize("table", OF_TENANTS)
@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant = tenant", "DELETE FROM {}"])
def test_another_tenants_rows_are_not_changed(
    another: Connection, filled: str, table: str, statement: str
) -> None:
    try:
        done = another.execute(f"{statement.format(table)} WHERE tenant = %s".encode(), (filled,))
    except psycopg.errors.InsufficientPrivilege:
        return
    assert done.rowcount == 0


def test_a_row_for_another_tenant_is_refused(another: Connection, filled: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        outbox.enqueue(another, filled, kind="k", destination="d", payload={}, idempotency_key="forged")


@pytest.mark.parametrize("table", AUDIT)
@pytest.mark.parametrize("privilege", ["DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"])
def test_the_audit_trail_cannot_be_shortened(another: Connection, table: str, privilege: str) -> None:
    assert another.execute("SELECT has_table_privilege(%s, %s)", (table, privilege)).fetchone() == (False,)


@pytest.mark.parametrize("table", ["audit_event", "audit_checkpoint", "audit_floor", "data_key"])
def test_what_is_written_once_cannot_be_updated(another: Connection, table: str) -> None:
    assert another.execute("SELECT has_table_privilege(%s, 'UPDATE')", (table,)).fetchone() == (False,)


def test_the_application_cannot_do_as_the_owner_does(database: Database, filled: str) -> None:
    """What opens the way for the owner's maintenance opens nothing without the owner's grants."""
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with refused, database.transaction(filled) as connection:
        connection.execute("SELECT set_config('cds.maintenance', 'purge', true)")
        connection.execute("DELETE FROM audit_event")
