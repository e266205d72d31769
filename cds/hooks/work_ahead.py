"""Work ahead of an order (CDS Hooks 2.0, "Providing FHIR Resources"): at signing there is no time for it.

The hook's token ends with the call, so the call lasts until the prescreen is made, at most its budget. What is
then under way, the pixels by our own access to the PACS and the models, goes on; its readings are kept.
"""

from __future__ import annotations

import logging
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from cds.audit.trail import Trail
from cds.deadline import Deadline
from cds.ehr.chart import Chart
from cds.hooks.call import Call
from cds.hooks.chart import Charts
from cds.prescreen import Prescreening, Subject
from cds.reporting.record import Record

LIMIT_MS = 30_000
"""By when work that nobody waits for takes what it has."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkAhead:
    """Prescreens patients in ``executor``, which must not be one that a prescreen or a chart itself runs in."""

    prescreen: Prescreening
    charts: Charts
    record: Record
    executor: Executor

    def __call__(self, call: Call) -> None:
        """Begin, and wait no longer than the call's deadline.

        Raises :class:`~cds.errors.RequestError` where the chart cannot be opened.
        """
        subject, chart = self.charts.open(call)
        work = self.executor.submit(self._work, call.deadline, subject, chart, call.trail.beside())
        work.add_done_callback(_log_failure)
        wait([work], timeout=call.deadline.remaining)

    def _work(self, begin_by: Deadline, subject: Subject, chart: Chart, trail: Trail) -> None:
        if begin_by.passed:
            # The call was answered while this waited its turn: without its token the chart cannot be read.
            return
        self.prescreen(subject, chart, Deadline.after(LIMIT_MS), trail)
        self.record.audit(subject.tenant, trail)


def _log_failure(work: Future[None]) -> None:
    if failure := work.exception():
        # Its message may quote the patient's data: the log gets its kind alone.
        _log.error("work ahead of an order failed: %s", type(failure).__name__)
