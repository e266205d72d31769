"""A prescreen of which a part was late for its answer is made whole, by our own access: the hook's token is over.

What was under way when the answer went out goes on in the web worker, and is waited for here, not computed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cds.audit.balp import Event, Party
from cds.audit.journal import Write
from cds.audit.trail import Trail
from cds.charts import Charts
from cds.deadline import Deadline
from cds.errors import Busy
from cds.findings import Prescreen
from cds.prescreen import Prescreening
from cds.registration import Registrations
from cds.reporting.record import Record, asked_by, kept, report_due
from cds.store import outbox
from cds.store.database import Connection
from cds.store.outbox import Delivery
from cds.worker.delivery import GivenUp

LIMIT_MS = 30_000
"""By when work that nobody waits for takes what it has; less than :data:`~cds.store.outbox.LEASE`."""


@dataclass(frozen=True, slots=True)
class Finisher:
    """Does what :func:`cds.reporting.record.finish_due` asked for, on behalf of who was answered."""

    registrations: Registrations
    prescreen: Prescreening
    charts: Charts
    record: Record
    us: Party

    def __call__(self, tenant: str, due: Delivery, given_up: GivenUp) -> None:
        """Raises a :class:`~cds.errors.SightlineError` where it is still not whole: it is then tried again."""
        trail = Trail(self.us, asked_by(due.payload))
        try:
            made = self._made(tenant, due, trail)
            self.record.write(tenant, trail, kept(made, trail), *_results(made, due, trail), _done(tenant, due))
        finally:
            # What was read stays in the trail, whatever came of it.
            self.record.audit(tenant, trail)

    def _made(self, tenant: str, due: Delivery, trail: Trail) -> Prescreen:
        deadline = Deadline.after(LIMIT_MS)
        subject, chart = self.charts.open_by_ourselves(
            self.registrations.of_tenant(tenant, due.destination),
            due.destination,
            due.payload["patient"].removeprefix("Patient/"),
            deadline=deadline,
            trail=trail,
        )
        made = self.prescreen(replace(subject, ct_of=frozenset(due.payload["ct_of"])), chart, deadline)
        if made.late:
            raise Busy("a part of the prescreen is still not ready")
        return made


def _results(made: Prescreen, due: Delivery, trail: Trail) -> list[Write]:
    return [report_due(made, trail)] if due.payload["reported"] else []


def _done(tenant: str, due: Delivery) -> Write:
    def write(connection: Connection) -> Iterable[Event]:
        outbox.delivered(connection, tenant, due.id)
        return []

    return write
