"""Work ahead of an order (CDS Hooks 2.0, "Providing FHIR Resources"): at signing there is no time for it."""

from __future__ import annotations

from dataclasses import dataclass

from cds.hooks.call import Call
from cds.hooks.look import Look
from cds.reporting.record import Record, kept


@dataclass(frozen=True, slots=True)
class WorkAhead:
    """Prescreens a patient before anything is ordered: no report comes of it, for nobody asked for one."""

    look: Look
    record: Record

    def __call__(self, call: Call) -> None:
        """Raises :class:`~cds.errors.RequestError` where the chart cannot be opened."""
        looked = self.look(call)
        self.record.write(call.client.tenant, call.trail, kept(looked.prescreen, call.trail), *looked.due)
