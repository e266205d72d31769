"""One look at the patient of a call: what is ready in time is answered, what is late the worker finishes.

CDS Hooks 2.0, "Passing the Access Token to the CDS Service": the token ends with the call. So what is finished
afterwards is read by our own access (:mod:`cds.worker.finishing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cds.audit.journal import Write
from cds.charts import Charts
from cds.ehr.chart import Chart
from cds.findings import Prescreen
from cds.hooks.call import Call
from cds.hooks.chart import opened
from cds.prescreen import Prescreening
from cds.reporting.record import finish_due, report_due


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look by the call's deadline."""

    prescreen: Prescreen
    chart: Chart
    due: Sequence[Write]
    """What is left to the worker, to be written with the prescreen."""


@dataclass(frozen=True, slots=True)
class Look:
    """Prescreens patients for hooks."""

    prescreen: Prescreening
    charts: Charts
    reported: bool
    """Whether what is found is to be reported: nobody asks for a report before an order is signed."""

    def __call__(self, call: Call, ct_of: frozenset[str] = frozenset()) -> Looked:
        """``ct_of``: the parts of the body that a CT is ordered of.

        Raises :class:`~cds.errors.RequestError` where the chart cannot be opened.
        """
        subject, chart = opened(self.charts, call)
        prescreen = self.prescreen(replace(subject, ct_of=ct_of), chart, call.deadline)
        return Looked(prescreen, chart, self._due(prescreen, call, ct_of))

    def _due(self, prescreen: Prescreen, call: Call, ct_of: frozenset[str]) -> Sequence[Write]:
        if prescreen.late:
            return [finish_due(prescreen, call.trail, ct_of=ct_of, reported=self.reported)]
        return [report_due(prescreen, call.trail)] if self.reported else []
