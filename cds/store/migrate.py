"""Brings the database to the schema that this version of the service is written for. Forward only.

The steps are Procrastinate's own migrations, as its package brings them, then ours in ``migrations/``. Each is
applied once, in a transaction of its own, and remembered with its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cds.errors import ConfigurationError, IntegrityError, Unreachable
from cds.store import plain
from cds.store.database import Database
from cds.store.master_key import MasterKey
from cds.store.sealing import Keyring
from cds.store.search import backfill

OURS = Path(__file__).with_name("migrations")
LOCK = 0x5167_4D16
"""Number of the advisory lock that one upgrade at a time holds."""
LOCK_WAIT_S = 120
CONNECT_S = 10
WHEN_SEALED = "0005_sealed"
"""The step that takes what is plain away, before which everything is sealed."""
WHEN_INDEXED = "0008_indexed"
"""The step before which everything is in the search index."""

GRANTS: Mapping[str, str] = {
    "schema_migration": "SELECT",
    "tenant": "SELECT, INSERT",
    "data_key": "SELECT, INSERT",
    "score": "SELECT, INSERT, UPDATE, DELETE",
    "prescreen": "SELECT, INSERT",
    "resource": "SELECT, INSERT, UPDATE",
    "resource_version": "SELECT, INSERT",
    "card": "SELECT, INSERT",
    "feedback": "SELECT, INSERT",
    "review": "SELECT, INSERT",
    "outbox": "SELECT, INSERT, UPDATE",
    "audit_event": "SELECT, INSERT",
    "audit_head": "SELECT, INSERT, UPDATE",
    "search_row": "SELECT, INSERT, DELETE",
    "search_term": "SELECT, INSERT, DELETE",
    "bulk_export": "SELECT, INSERT, UPDATE, DELETE",
    "bulk_export_file": "SELECT, INSERT, DELETE",
    "audit_checkpoint": "SELECT, INSERT",
    "audit_floor": "SELECT",
    "audit_feed": "SELECT, INSERT, UPDATE",
    "withdrawn_model": "SELECT, INSERT",
    "procrastinate_jobs": "SELECT, INSERT, UPDATE, DELETE",
    "procrastinate_events": "SELECT, INSERT",
    "procrastinate_workers": "SELECT, INSERT, UPDATE, DELETE",
    "procrastinate_periodic_defers": "SELECT, INSERT, UPDATE, DELETE",
}
"""All that the application's role may do, by table."""


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    statements: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.statements).hexdigest()


def migrations() -> list[Migration]:
    """Every step, in order."""
    theirs = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    steps = [Migration(f"procrastinate/{path.stem}", path.read_bytes()) for path in theirs]
    return steps + [Migration(path.stem, path.read_bytes()) for path in sorted(OURS.glob("*.sql"))]


def pending(url: str) -> list[str]:
    """The names of the steps that the database lacks; empty when the service may start.

    Raises :class:`IntegrityError` where an applied step is not the one we bring.
    """
    with _connected(url) as connection:
        return [step.name for step in _missing(connection)]


def check(url: str) -> None:
    """Raise :class:`ConfigurationError` where the database lacks a step, and as :func:`pending` does."""
    if missing := pending(url):
        raise ConfigurationError(f"the database lacks {', '.join(missing)}; run `cds db upgrade`")


def upgrade(admin_url: str, app_role: str, master: MasterKey) -> list[str]:
    """Apply what is missing as the owner, grant ``app_role`` what it needs, and return the steps applied.

    Many processes may do so at once. Raises :class:`ConfigurationError` where ``app_role`` could bypass row-level
    security or the grants, and :class:`IntegrityError` where an applied step has been altered.
    """
    with _connected(admin_url) as connection:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{LOCK_WAIT_S}s"))
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        _check_role(connection, app_role)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        missing = _missing(connection)
        for step in missing:
            if step.name == WHEN_SEALED:
                plain.seal_all(connection, master)
            if step.name == WHEN_INDEXED:
                with closing(Database(admin_url, Keyring(master), max_size=1)) as owner:
                    backfill.index_all(owner)
            _apply(connection, step, master)
        _grant(connection, app_role)
        return [step.name for step in missing]


def role_of(url: str) -> str:
    """The role as which ``url`` connects."""
    return str(conninfo_to_dict(url).get("user", ""))


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ConfigurationError("CDS_DATABASE_URL or CDS_DATABASE_ADMIN_URL is no PostgreSQL URL") from None
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S) as connection:
            connection.execute("SET client_min_messages = warning")
            yield connection
    except psycopg.OperationalError as error:
        raise Unreachable(f"the database did not answer: {str(error).splitlines()[0]}") from None


def _missing(connection: psycopg.Connection) -> list[Migration]:
    applied: dict[str, str] = {}
    if connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone() == (True,):
        applied = dict(connection.execute("SELECT name, sha256 FROM schema_migration").fetchall())
    missing = []
    for step in migrations():
        if step.name not in applied:
            missing.append(step)
        elif applied[step.name] != step.sha256:
            raise IntegrityError(f"migration {step.name} was altered after it was applied")
    return missing


def _apply(connection: psycopg.Connection, step: Migration, master: MasterKey) -> None:
    with connection.transaction():
        if step.name == WHEN_SEALED:
            plain.seal_the_rest(connection, master)
        connection.execute(step.statements)
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)", (step.name, step.sha256))


def _check_role(connection: psycopg.Connection, role: str) -> None:
    found = connection.execute(
        "SELECT rolbypassrls OR rolsuper OR pg_has_role(rolname, current_user, 'MEMBER')"
        " FROM pg_roles WHERE rolname = %s",
        (role,),
    ).fetchone()
    if found is None:
        raise ConfigurationError(f"CDS_DATABASE_URL names the role {role}, which the database does not have")
    if found[0]:
        raise ConfigurationError(
            f"CDS_DATABASE_URL names the role {role}, which could bypass row-level security;"
            " give it a role of its own, and the owner's to CDS_DATABASE_ADMIN_URL"
        )


def _grant(connection: psycopg.Connection, role: str) -> None:
    """Exactly :data:`GRANTS`: what an earlier version granted beyond it is taken back."""
    application = sql.Identifier(role)
    with connection.transaction():
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(application))
        connection.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(application))
        for table, privileges in GRANTS.items():
            grant = sql.SQL("GRANT {} ON {} TO {}")
            connection.execute(grant.format(sql.SQL(privileges), sql.Identifier(table), application))
        connection.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(application))
