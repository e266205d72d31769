"""The commands as an operator types them: what they print, and their exit codes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from cds.audit import chain
from cds.cli import main
from cds.keys import Keys
from cds.settings import Settings
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from tests.master import MASTER_KEY
from tests.outbox import enqueued

Cds = Callable[..., Result]


@pytest.fixture
def cds(postgres: EmbeddedPostgres, tmp_path: Path) -> Cds:
    """Runs the command with the settings of the application's host."""
    settings = {
        "CDS_DATA_DIR": str(tmp_path),
        "CDS_DATABASE_URL": postgres.app_url,
        "CDS_REDIS_URL": "redis://127.0.0.1:9/0",
        "CDS_MASTER_KEY": MASTER_KEY,
    }

    def run(*arguments: str, **changes: str) -> Result:
        return CliRunner().invoke(main, arguments, env=settings | changes)

    return run


def given_up(database: Database, tenant: str) -> int:
    with database.transaction(tenant) as connection:
        id = enqueued(
            connection, tenant, kind="fhir-results", destination="https://ehr", payload={}, idempotency_key="i"
        )
        connection.execute(
            "UPDATE outbox SET next_attempt_at = NULL, attempts = 10, last_error = 'the EHR did not answer'"
        )
    return id


def appended(database: Database, tenant: str, count: int) -> None:
    with database.transaction(tenant) as connection:
        events = [
            {"resourceType": "AuditEvent", "id": str(uuid4()), "recorded": "2026-01-02T03:04:05.000Z"}
            for _ in range(count)
        ]
        chain.append_many(connection, tenant, events)


def test_what_was_given_up_is_listed_and_taken_up_again(cds: Cds, database: Database, tenant: str) -> None:
    id = given_up(database, tenant)
    listed = cds("outbox", "list", tenant)
    assert listed.output.split("\t")[:2] == [tenant, str(id)]
    assert "the EHR did not answer" in listed.output
    assert cds("outbox", "list", tenant, "--waiting").output == ""
    assert cds("outbox", "retry", tenant, str(id)).output == "1 taken up again\n"
    assert cds("outbox", "list", tenant).output == ""
    assert str(id) in cds("outbox", "list", tenant, "--waiting").output


def test_all_at_once(cds: Cds, database: Database, tenant: str) -> None:
    given_up(database, tenant)
    assert cds("outbox", "retry", tenant, "--all").output == "1 taken up again\n"
    assert cds("outbox", "retry", tenant, "--all").output == "0 taken up again\n"


@pytest.mark.parametrize("arguments", [["77"], [], ["77", "--all"]])
def test_what_cannot_be_taken_up(cds: Cds, tenant: str, arguments: list[str]) -> None:
    assert cds("outbox", "retry", tenant, *arguments).exit_code == 2


@pytest.mark.parametrize("command", [["purge"], ["keys", "rotate"]])
def test_what_is_for_the_owner_needs_the_owners_url(cds: Cds, command: list[str]) -> None:
    refused = cds(*command)
    assert refused.exit_code == 2
    assert "CDS_DATABASE_ADMIN_URL" in refused.stderr


def test_a_chain_is_signed_exported_and_verified_elsewhere(
    cds: Cds, database: Database, tenant: str, tmp_path: Path
) -> None:
    appended(database, tenant, 3)
    name, signed = cds("audit", "checkpoint", tenant).output.strip().split("\t")
    assert name == tenant
    assert cds("audit", "checkpoint", tenant).output == f"{tenant}\tnothing new\n"
    assert cds("audit", "verify", tenant, "--checkpoint", signed).output == f"{tenant}: 3 events, unbroken\n"
    path, jwks = tmp_path / "audit.ndjson", tmp_path / "jwks.json"
    assert cds("audit", "export", tenant, str(path)).exit_code == 0
    jwks.write_text(json.dumps(Keys.load(Settings(data_dir=tmp_path)).signing.published(time.time())))
    elsewhere = {"CDS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x", "CDS_DATA_DIR": str(tmp_path / "other")}
    verified = cds("audit", "verify", "--export", str(path), "--jwks", str(jwks), **elsewhere)
    assert verified.output == f"{tenant}: 3 events, unbroken\n"
    path.write_text(path.read_text().replace('"seq":2', '"seq":9'))
    broken = cds("audit", "verify", "--export", str(path), "--jwks", str(jwks), **elsewhere)
    assert broken.exit_code == 1
    assert broken.stderr == f"cds: {tenant}: 1 events hold, then event 2 was dropped\n"


def test_what_is_not_known_is_said(cds: Cds, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text("[]")
    assert cds("audit", "verify").exit_code == 2
    assert cds("audit", "verify", "--export", "nowhere").exit_code == 1
    refused = cds("audit", "verify", "x", "--jwks", str(tmp_path / "jwks.json"))
    assert (refused.exit_code, "holds no JWK set" in refused.stderr) == (2, True)
