"""One look at the patient of a call: what is ready in time is answered, what is late is finished afterwards.

CDS Hooks 2.0, "Passing the Access Token to the CDS Service": the token ends with the call. So what is finished
afterwards is read by our own access (SMART Backend Services); scores that are under way are waited for, not
computed again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from cds.audit.journal import Write
from cds.audit.trail import Trail
from cds.deadline import Deadline
from cds.ehr.chart import Chart
from cds.errors import SightlineError
from cds.findings import Prescreen
from cds.hooks.call import Call
from cds.hooks.chart import Charts
from cds.prescreen import Prescreening
from cds.reporting.record import Record, kept

LIMIT_MS = 30_000
"""By when work that nobody waits for takes what it has."""
AGAIN_S = 0.2

Result = Callable[[Prescreen, Trail], Write]
"""What is written of a prescreen beside itself, such as :func:`cds.reporting.record.report_due`."""

_log = logging.getLogger(__name__)


class Afterwards:
    """Runs what nobody waits for, in ``executor``; of more than ``limit`` at once the rest is left undone.

    What is left undone is made when it is next asked for: an overloaded service first answers.
    """

    def __init__(self, executor: Executor, limit: int) -> None:
        self._executor = executor
        self._room = threading.BoundedSemaphore(limit)

    def __call__(self, work: Callable[[], None]) -> None:
        if not self._room.acquire(blocking=False):
            _log.warning("too much is waiting to be finished: a prescreen is left until it is asked for again")
            return
        self._executor.submit(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except SightlineError as failure:
            _log.warning("a prescreen could not be finished after its call: %s", failure)
        except Exception as defect:
            # Its message may quote the patient's data: the log gets its kind alone.
            _log.error("finishing a prescreen failed: %s", type(defect).__name__)
        finally:
            self._room.release()


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look by the call's deadline."""

    prescreen: Prescreen
    chart: Chart
    results: Sequence[Write]
    """What is to be written of the prescreen with the answer."""


@dataclass(frozen=True, slots=True)
class Look:
    """Prescreens patients for hooks. ``results`` are written of a prescreen that is whole."""

    prescreen: Prescreening
    charts: Charts
    record: Record
    afterwards: Afterwards
    results: tuple[Result, ...] = ()

    def __call__(self, call: Call, ct_of: frozenset[str] = frozenset()) -> Looked:
        """``ct_of``: the parts of the body that a CT is ordered of.

        Raises :class:`~cds.errors.RequestError` where the chart cannot be opened.
        """
        subject, chart = self.charts.open(call)
        prescreen = self.prescreen(replace(subject, ct_of=ct_of), chart, call.deadline)
        if prescreen.late:
            self.afterwards(lambda: self._finish(call, ct_of))
            return Looked(prescreen, chart, ())
        return Looked(prescreen, chart, [result(prescreen, call.trail) for result in self.results])

    def _finish(self, call: Call, ct_of: frozenset[str]) -> None:
        trail, deadline = call.trail.beside(), Deadline.after(LIMIT_MS)
        try:
            subject, chart = self.charts.reopen(call, deadline, trail)
            subject = replace(subject, ct_of=ct_of)
            prescreen = self.prescreen(subject, chart, deadline)
            while prescreen.late and not deadline.passed:
                # It joined what was given up at the call's own deadline, or there was too much to do.
                time.sleep(AGAIN_S)
                prescreen = self.prescreen(subject, chart, deadline)
            results = [result(prescreen, trail) for result in self.results]
            self.record.write(subject.tenant, trail, kept(prescreen, trail), *results)
        finally:
            self.record.audit(call.client.tenant, trail)
