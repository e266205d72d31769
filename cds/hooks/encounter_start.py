"""encounter-start 1.0: an encounter begins; we work ahead, and interrupt only for what cannot wait."""

from __future__ import annotations

from dataclasses import dataclass

from cds.findings import Finding, Level
from cds.hooks.call import Answer, Call
from cds.hooks.known import KnownFindings
from cds.hooks.work_ahead import WorkAhead


@dataclass(frozen=True, slots=True)
class EncounterStart:
    """The service ``imaging-encounter-start``."""

    ahead: WorkAhead
    known: KnownFindings

    def __call__(self, call: Call) -> Answer:
        """Only what was known before the encounter is said here; what is found now, patient-view will say."""
        known = self.known.latest(call)
        # A chart that cannot be opened ends the call here: no card is kept that nobody is given.
        self.ahead(call)
        return Answer(self.known.told(call, known, is_critical))


def is_critical(finding: Finding) -> bool:
    return finding.level is Level.HIGH and finding.type.time_critical
