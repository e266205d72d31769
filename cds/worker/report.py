"""The report of a prescreen, made after its answer: some twenty resources, which nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cds.audit.balp import Event, Party
from cds.audit.journal import Write
from cds.audit.trail import Trail
from cds.errors import BadAnswer
from cds.findings import Prescreen
from cds.reporting.record import Record, asked_by, reported
from cds.store import outbox
from cds.store.database import Connection
from cds.store.outbox import Delivery
from cds.worker.delivery import GivenUp


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes what :func:`cds.reporting.record.report_due` asked for, on behalf of who was answered."""

    record: Record
    us: Party
    for_pacs: Callable[[Prescreen, Trail], Write]
    """What else is on its way with the report (:class:`~cds.reporting.pacs.ResultsForPacs`)."""

    def __call__(self, tenant: str, due: Delivery, given_up: GivenUp) -> None:
        """Report, audit and the mark that it is made are one transaction: it is made once, however often tried."""
        prescreen = self.record.by_id(tenant, due.payload["prescreen"])
        if prescreen is None:
            raise BadAnswer("the prescreen that is to be reported is not kept any more")
        trail = Trail(self.us, asked_by(due.payload))

        def made(connection: Connection) -> Iterable[Event]:
            outbox.delivered(connection, tenant, due.id)
            events = list(reported(prescreen, trail)(connection))
            # A recall finds by the report what is in the PACS: without one, nothing goes there.
            also = self.for_pacs(prescreen, trail)(connection) if events else ()
            return [*events, *also]

        self.record.write(tenant, trail, made)
