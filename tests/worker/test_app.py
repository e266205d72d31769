"""The worker as a process: it works off the queue, survives what kills it, and stops when it is told to."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from procrastinate import App

from cds.store.database import Database
from cds.worker.app import create_app, run_stalled_again
from cds.worker.delivery import Deliverer
from tests.worker.conftest import TENANT, Ehr

STATE = "SELECT delivered_at IS NOT NULL, attempts FROM outbox WHERE id = %s"


@pytest.fixture(autouse=True)
def empty_queue(database: Database, database_url: str) -> None:
    """What other tests left in the outbox would come due one day."""
    with database.transaction(TENANT) as connection:
        connection.execute("UPDATE outbox SET next_attempt_at = NULL")
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def app(database_url: str, deliverer: Deliverer) -> App:
    return create_app(database_url, deliverer)


def work_off(app: App) -> None:
    """Run what is queued, then return."""
    app.run_worker(wait=False, install_signal_handlers=False, listen_notify=False, delete_jobs="always")


def state(database: Database, id_: int) -> tuple[bool, int]:
    with database.transaction(TENANT) as connection:
        delivered, attempts = connection.execute(STATE, (id_,)).fetchone() or (False, 0)
    return delivered, attempts


def jobs(database_url: str) -> list[tuple[str, str]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT task_name, status FROM procrastinate_jobs ORDER BY id").fetchall()


def test_what_was_enqueued_is_delivered(
    app: App, database: Database, database_url: str, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    ids = [enqueue(name=name) for name in ("a", "b")]
    work_off(app)
    assert [state(database, id_) for id_ in ids] == [(True, 1), (True, 1)]
    assert jobs(database_url) == []


def test_a_delivery_whose_job_was_lost_gets_another(
    app: App, deliverer: Deliverer, database: Database, database_url: str, enqueue: Callable[..., int]
) -> None:
    id_ = enqueue()
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    work_off(app)
    assert state(database, id_) == (False, 0)
    deliverer.defer_due()
    work_off(app)
    assert state(database, id_) == (True, 1)


def test_a_job_that_died_with_its_worker_is_run_again(
    app: App, database: Database, database_url: str, enqueue: Callable[..., int]
) -> None:
    id_ = enqueue()
    with psycopg.connect(database_url) as connection:
        worker = connection.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
        ).fetchone()
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", worker)

    async def recover() -> None:
        async with app.open_async():
            await run_stalled_again(app)

    asyncio.run(recover())
    assert jobs(database_url) == [("deliver", "todo")]
    work_off(app)
    assert state(database, id_)[0]


def test_recovery_runs_by_the_minute(app: App) -> None:
    periodic = app.periodic_registry.periodic_tasks.values()
    assert ("recover", "* * * * *", "outbox") in [(p.task.name, p.cron, p.task.queue) for p in periodic]


@contextmanager
def worker(database_url: str, pause_s: float) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.worker.worker_process", database_url, str(pause_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    ends = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


def test_sigterm_lets_the_delivery_under_way_end(
    database: Database, database_url: str, enqueue: Callable[..., int]
) -> None:
    id_ = enqueue()
    with worker(database_url, pause_s=0.5) as process:
        until(lambda: state(database, id_)[1] == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "stopped after 1 posts\n"
    assert state(database, id_) == (True, 1)


def test_a_worker_killed_in_mid_delivery_loses_nothing(
    app: App, database: Database, database_url: str, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    id_ = enqueue()
    with worker(database_url, pause_s=60) as process:
        until(lambda: state(database, id_)[1] == 1)
        process.kill()
        process.wait()
    assert jobs(database_url)[0] == ("deliver", "doing")
    with database.transaction(TENANT) as connection:  # the lease and the heartbeat run out
        connection.execute("UPDATE outbox SET next_attempt_at = now() WHERE id = %s", (id_,))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    with app.open():
        app.tasks["recover"].defer(timestamp=0)  # as it does by itself each minute
    work_off(app)
    assert state(database, id_) == (True, 2)
    assert jobs(database_url) == []
    assert len(ehr.reports) == 1
