"""Forward only, each step once, and the application's role gets what it needs and nothing else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from cds.errors import ConfigurationError, IntegrityError, Unreachable
from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.postgres import OWNER, SUPERUSER
from cds.store.migrate import GRANTS, check, migrations, pending, upgrade
from tests.databases import another
from tests.master import MASTER


@dataclass
class Empty:
    admin_url: str
    app_url: str


@pytest.fixture
def superuser(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres._url(SUPERUSER, "postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Empty:
    """A database that nothing was applied to."""
    return Empty(*another(postgres))


def test_what_is_missing_is_named_then_applied_in_order(empty: Empty) -> None:
    names = [step.name for step in migrations()]
    assert "0001_initial" in names
    assert pending(empty.app_url) == names
    with pytest.raises(ConfigurationError, match="cds db upgrade"):
        check(empty.app_url)
    assert upgrade(empty.admin_url, "cds_app", MASTER) == names
    assert pending(empty.app_url) == []
    assert upgrade(empty.admin_url, "cds_app", MASTER) == []


def test_many_processes_at_once_apply_each_step_once(empty: Empty) -> None:
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: upgrade(empty.admin_url, "cds_app", MASTER), range(8)))
    assert sorted(map(len, applied)) == [0] * 7 + [len(migrations())]


def test_a_step_altered_after_it_was_applied_is_named(empty: Empty) -> None:
    upgrade(empty.admin_url, "cds_app", MASTER)
    with psycopg.connect(empty.admin_url) as connection:
        connection.execute("UPDATE schema_migration SET sha256 = 'another' WHERE name = '0001_initial'")
    for attempt in (lambda: pending(empty.app_url), lambda: upgrade(empty.admin_url, "cds_app", MASTER)):
        with pytest.raises(IntegrityError, match="0001_initial was altered"):
            attempt()


def test_a_step_that_fails_leaves_nothing_of_itself(empty: Empty) -> None:
    with psycopg.connect(empty.admin_url) as connection:
        connection.execute("CREATE TABLE audit_event ()")
    with pytest.raises(psycopg.errors.DuplicateTable):
        upgrade(empty.admin_url, "cds_app", MASTER)
    assert pending(empty.admin_url)[0] == "0001_initial"
    with psycopg.connect(empty.admin_url) as connection:
        assert connection.execute("SELECT to_regclass('score')").fetchone() == (None,)


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS", f"IN ROLE {OWNER}"])
def test_a_role_that_could_bypass_is_refused(empty: Empty, superuser: psycopg.Connection, attribute: str) -> None:
    role = f"role_{uuid4().hex}"
    superuser.execute(f"CREATE ROLE {role} {attribute}")
    try:
        with pytest.raises(ConfigurationError, match=r"CDS_DATABASE_URL.*could bypass"):
            upgrade(empty.admin_url, role, MASTER)
    finally:
        superuser.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("role", [OWNER, "nobody we know"])
def test_the_owner_and_an_unknown_role_are_refused(empty: Empty, role: str) -> None:
    with pytest.raises(ConfigurationError, match="CDS_DATABASE_URL"):
        upgrade(empty.admin_url, role, MASTER)


def test_no_database_to_upgrade() -> None:
    with pytest.raises(Unreachable, match="refused"):
        upgrade("postgresql://cds_owner@127.0.0.1:1/sightline", "cds_app", MASTER)
    with pytest.raises(ConfigurationError, match="CDS_DATABASE_URL"):
        upgrade("no such thing", "cds_app", MASTER)


def test_every_table_with_a_tenant_forces_row_level_security(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.admin_url) as connection:
        tables = connection.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity, attname IS NOT NULL FROM pg_class"
            " LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant'"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
    of_all = {"schema_migration", "tenant"}
    ours = {name for name in GRANTS if name not in of_all and not name.startswith("procrastinate_")}
    assert {name for name, _, of_tenant in tables if of_tenant} == ours
    assert {name for name, forced, _ in tables if forced} == ours


def test_the_application_has_the_grants_listed_and_no_other(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.admin_url) as connection:
        granted = connection.execute(
            "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'cds_app'"
        ).fetchall()
    assert set(granted) == {(table, p) for table, privileges in GRANTS.items() for p in privileges.split(", ")}


def test_procrastinates_steps_end_at_its_schema(empty: Empty, postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(empty.admin_url) as connection:
        connection.execute(SchemaManager.get_schema().encode())
    assert described(empty.admin_url) == described(postgres.admin_url)


def described(url: str) -> tuple[set[tuple[object, ...]], ...]:
    """The columns, indexes, functions and triggers of Procrastinate."""
    with psycopg.connect(url) as connection:
        return tuple(
            set(connection.execute(query).fetchall())
            for query in (
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
                " WHERE table_name LIKE 'procrastinate_%'",
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'procrastinate_%'",
                "SELECT proname, regexp_replace(prosrc, '\\s+', ' ', 'g') FROM pg_proc"
                " WHERE proname LIKE 'procrastinate_%'",
                "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'procrastinate_%'",
            )
        )
