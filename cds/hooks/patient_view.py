"""patient-view 1.0: a chart is opened; we say what is outstanding for this patient, and work ahead."""

from __future__ import annotations

from dataclasses import dataclass

from cds.findings import Finding, Level
from cds.hooks.call import Answer, Call
from cds.hooks.known import KnownFindings
from cds.hooks.work_ahead import WorkAhead


@dataclass(frozen=True, slots=True)
class PatientView:
    """The service ``imaging-patient-view``."""

    ahead: WorkAhead
    known: KnownFindings

    def __call__(self, call: Call) -> Answer:
        """What work ahead finds in time is said at once, and what it finds gone is no longer said."""
        self.ahead(call)
        return Answer(self.known.told(call, self.known.latest(call), is_high))


def is_high(finding: Finding) -> bool:
    return finding.level is Level.HIGH
