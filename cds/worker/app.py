"""The worker: a Procrastinate application that delivers what the outbox holds, makes bulk exports, forwards audit.

Their tables are the record; a job only says that a row may be due. Each minute jobs that died with their worker
are run again, and rows without a job get one: neither does Procrastinate by itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.jobs import Status

from cds.store import exports
from cds.store.outbox import QUEUE, TASK
from cds.worker.audit_feed import AuditFeed
from cds.worker.delivery import Deliverer
from cds.worker.export import Exporter

_log = logging.getLogger(__name__)

RECOVER = "recover"
HOURLY = "hourly"
FEED = "feed"
CONCURRENCY = 4
STALLED_S = 30.0
"""A worker without a heartbeat for so long is taken for dead."""
AGAIN_S = 1.0
"""After so long a worker that lost its database tries again."""
GRACE_S = 10.0
"""How long a delivery under way may go on when the worker is told to stop; then it begins no further call."""


def create_app(
    database_url: str,
    deliverer: Deliverer,
    hourly: Sequence[Callable[[], None]] = (),
    feed: AuditFeed | None = None,
) -> App:
    """The tasks, bound to what they work with.

    ``hourly`` is what is done once an hour, by one worker; ``feed``, if any, forwards the audit trail each minute.
    """
    exporter = Exporter(deliverer.database, deliverer.registrations)
    connector = PsycopgConnector(conninfo=database_url, min_size=1, max_size=CONCURRENCY)
    app = App(connector=connector)

    @app.task(name=TASK, queue=QUEUE, pass_context=True)
    def deliver(context: JobContext, tenant: str, id: int) -> None:
        deliverer.deliver(tenant, id, given_up=context.should_abort)

    @app.task(name=exports.TASK, queue=QUEUE)
    def export(tenant: str, id: str) -> None:
        exporter.export(tenant, id)

    @app.periodic(cron="* * * * *")
    @app.task(name=RECOVER, queue=QUEUE)
    async def recover(timestamp: int) -> None:
        await run_stalled_again(app)
        await asyncio.to_thread(deliverer.defer_due)
        await asyncio.to_thread(exporter.tend)

    @app.periodic(cron="0 * * * *")
    @app.task(name=HOURLY, queue=QUEUE)
    async def each_hour(timestamp: int) -> None:
        for job in hourly:
            await asyncio.to_thread(job)

    if feed:

        @app.periodic(cron="* * * * *")
        @app.task(name=FEED, queue=QUEUE, pass_context=True)
        def forward(context: JobContext, timestamp: int) -> None:
            feed(given_up=context.should_abort)

    return app


async def run_stalled_again(app: App) -> None:
    """Queue the deliveries of dead workers again; what else they were at comes by itself with the next minute."""
    for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED_S):
        if job.task_name == TASK:
            await app.job_manager.retry_job(job)
        else:
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)


def run(app: App) -> None:
    """Work until SIGTERM or SIGINT, then return when what is under way has ended."""
    asyncio.run(_until_told_to_stop(app))


async def _until_told_to_stop(app: App) -> None:
    """Procrastinate's worker ends when its database goes away; ours begins again when it is back."""
    stop = asyncio.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, stop.set)
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        working = asyncio.create_task(_work(app))
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()  # which lets what is under way end
        await asyncio.gather(working, return_exceptions=True)
        if not stop.is_set():
            _log.warning("the worker lost its database and begins again")
            await asyncio.wait({stopping}, timeout=AGAIN_S)


async def _work(app: App) -> None:
    async with app.open_async():
        await app.run_worker_async(
            name="sightline",
            queues=[QUEUE],
            concurrency=CONCURRENCY,
            install_signal_handlers=False,
            delete_jobs="always",  # the outbox remembers what became of it
            shutdown_graceful_timeout=GRACE_S,
            stalled_worker_timeout=STALLED_S,
        )
