"""What the tests of migrations begin with."""

from __future__ import annotations

import psycopg
import pytest

from cds.store import migrate
from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.postgres import APPLICATION
from tests.databases import another
from tests.master import MASTER
from tests.store.earlier import TENANTS, filled

FIRST = "0001_initial"


@pytest.fixture
def before(
    request: pytest.FixtureRequest, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """The URLs of owner and application for a database of an earlier version, with rows of two tenants.

    At 0001, where the rows were written, or at the step that the test names.
    """
    admin, app = another(postgres)
    upgrade_to(FIRST, admin, monkeypatch)
    for tenant in TENANTS:
        with psycopg.connect(admin) as connection:
            filled(connection, tenant)
    upgrade_to(getattr(request, "param", FIRST), admin, monkeypatch)
    return admin, app


def upgrade_to(last: str, admin_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the version whose last step that was did."""
    with monkeypatch.context() as then:
        steps = [step for step in migrate.migrations() if step.name <= last or "/" in step.name]
        then.setattr(migrate, "migrations", lambda: steps)
        then.setattr(migrate, "GRANTS", {})
        migrate.upgrade(admin_url, APPLICATION, MASTER)
