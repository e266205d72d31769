"""A delivery and its job are committed with what they tell of; each is tried until it is done or given up."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import procrastinate
import psycopg
import pytest

from cds.store import outbox
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from tests.outbox import enqueued


def enqueue(database: Database, tenant: str, key: str = "key") -> int:
    with database.transaction(tenant) as connection:
        return enqueued(
            connection,
            tenant,
            kind="report",
            destination="https://ehr.example/fhir",
            payload={"resourceType": "Bundle"},
            idempotency_key=key,
        )


def claim(database: Database, tenant: str, id: int) -> outbox.Delivery | None:
    with database.transaction(tenant) as connection:
        return outbox.claim(connection, tenant, id)


@pytest.fixture
def jobs(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """A view of the jobs, as the application's role."""
    with psycopg.connect(postgres.app_url, autocommit=True) as connection:
        yield connection


def jobs_of(jobs: psycopg.Connection, tenant: str) -> list[tuple[object, ...]]:
    return jobs.execute(
        "SELECT queue_name, task_name, args, status FROM procrastinate_jobs WHERE args->>'tenant' = %s", (tenant,)
    ).fetchall()


def test_the_job_comes_with_the_delivery_and_names_nothing_else(
    database: Database, tenant: str, jobs: psycopg.Connection
) -> None:
    id = enqueue(database, tenant)
    assert jobs_of(jobs, tenant) == [("outbox", "deliver", {"tenant": tenant, "id": id}, "todo")]


def test_neither_is_there_when_the_transaction_is_not(
    database: Database, tenant: str, jobs: psycopg.Connection
) -> None:
    def enqueued_then_broken() -> None:
        with database.transaction(tenant) as connection:
            outbox.enqueue(connection, tenant, kind="k", destination="d", payload={}, idempotency_key="key")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        enqueued_then_broken()
    assert jobs_of(jobs, tenant) == []
    with database.transaction(tenant) as connection:
        assert outbox.due(connection, tenant) == []


def test_the_same_key_is_the_same_delivery(database: Database, tenant: str, jobs: psycopg.Connection) -> None:
    assert enqueue(database, tenant) == enqueue(database, tenant) != enqueue(database, tenant, "another")
    assert len(jobs_of(jobs, tenant)) == 2


def test_one_worker_at_a_time_has_a_delivery(database: Database, tenant: str) -> None:
    id = enqueue(database, tenant)
    claimed = claim(database, tenant, id)
    assert claimed == outbox.Delivery(
        id, "report", "https://ehr.example/fhir", "key", {"resourceType": "Bundle"}, attempts=1
    )
    assert claim(database, tenant, id) is None


def test_another_tenant_cannot_claim_it(database: Database, tenant: str) -> None:
    id = enqueue(database, tenant)
    with database.transaction("another") as connection:
        assert outbox.claim(connection, tenant, id) is None


def test_what_a_dead_worker_claimed_is_due_again(
    database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = enqueue(database, tenant)
    monkeypatch.setattr(outbox, "LEASE", timedelta(0))
    assert claim(database, tenant, id) is not None
    with database.transaction(tenant) as connection:
        assert outbox.due(connection, tenant) == [id]
    again = claim(database, tenant, id)
    assert again is not None
    assert again.attempts == 2


def test_of_those_due_at_one_time_the_first_put_in_comes_first(
    database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (enqueue(database, tenant, key) for key in ("1", "2", "3"))
    monkeypatch.setattr(outbox, "LEASE", timedelta(0))
    with database.transaction(tenant) as connection:
        for id in (third, first, second):
            assert outbox.claim(connection, tenant, id)
        assert outbox.due(connection, tenant) == [first, second, third]


def test_what_is_delivered_is_never_due_again(database: Database, tenant: str) -> None:
    id = enqueue(database, tenant)
    with database.transaction(tenant) as connection:
        outbox.claim(connection, tenant, id)
        outbox.delivered(connection, tenant, id)
        assert outbox.failed(connection, tenant, id, "too late") is None
    with database.transaction(tenant) as connection:
        assert outbox.due(connection, tenant) == []
        assert outbox.claim(connection, tenant, id) is None
        assert outbox.dead(connection, tenant) == []


def test_pauses_double_then_it_is_given_up_and_can_be_taken_up_again(
    database: Database, tenant: str, jobs: psycopg.Connection
) -> None:
    id = enqueue(database, tenant)
    pauses = []
    for _ in range(outbox.MAX_ATTEMPTS):
        with database.transaction(tenant) as connection:
            connection.execute("UPDATE outbox SET next_attempt_at = now()")
            assert outbox.claim(connection, tenant, id) is not None
            at = outbox.failed(connection, tenant, id, "the EHR did not answer")
        if at:
            pauses.append((at - datetime.now(UTC)).total_seconds())
    for pause, longest in zip(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280], strict=True):
        assert longest / 2 - 1 < pause <= longest
    assert len(jobs_of(jobs, tenant)) == outbox.MAX_ATTEMPTS
    with database.transaction(tenant) as connection:
        (letter,) = outbox.dead(connection, tenant)
        assert (letter.id, letter.attempts, letter.last_error) == (id, 10, "the EHR did not answer")
        assert outbox.retry(connection, tenant, id)
        assert not outbox.retry(connection, tenant, id)
    assert claim(database, tenant, id) is not None


def test_procrastinates_worker_runs_the_job_as_the_applications_role(
    postgres: EmbeddedPostgres, database: Database, tenant: str, jobs: psycopg.Connection
) -> None:
    id = enqueue(database, tenant)
    done = []
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=postgres.app_url))

    @app.task(name=outbox.TASK, queue=outbox.QUEUE)
    def deliver(tenant: str, id: int) -> None:
        done.append((tenant, id))

    async def work() -> None:
        async with app.open_async():
            await app.run_worker_async(queues=[outbox.QUEUE], wait=False, install_signal_handlers=False)

    asyncio.run(work())
    assert (tenant, id) in done
    assert [status for *_, status in jobs_of(jobs, tenant)] == ["succeeded"]
