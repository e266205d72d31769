"""What was found in an image, on its way to the PACS that holds it, where that PACS asks for results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cds.audit.balp import Event
from cds.audit.journal import Write
from cds.audit.trail import Trail
from cds.errors import NotAllowed
from cds.findings import Prescreen, StudySeen
from cds.registration import Pacs, Registrations
from cds.store import outbox
from cds.store.database import Connection


@dataclass(frozen=True, slots=True)
class ResultsForPacs:
    """Writes the delivery of a prescreen that is kept, once; nothing for a PACS that does not ask."""

    registrations: Registrations

    def __call__(self, prescreen: Prescreen, trail: Trail) -> Write:
        def write(connection: Connection) -> Iterable[Event]:
            study = prescreen.study
            if study and any(finding.image is not None for finding in prescreen.findings):
                pacs = self._pacs(prescreen, study)
                if pacs and pacs.results:
                    _enqueue(connection, prescreen, study, pacs)
            return []

        return write

    def _pacs(self, prescreen: Prescreen, study: StudySeen) -> Pacs | None:
        registration = self.registrations.by_fhir_server(prescreen.fhir_server)
        try:
            return registration.pacs_for(study.root) if registration else None
        except NotAllowed:
            return None


def _enqueue(connection: Connection, prescreen: Prescreen, study: StudySeen, pacs: Pacs) -> None:
    """Made when it is delivered, from the film itself: what is kept here names the prescreen and no more."""
    outbox.enqueue(
        connection,
        prescreen.tenant,
        kind=outbox.DICOM_RESULTS,
        destination=pacs.root,
        payload={"prescreen": prescreen.id, "patient": prescreen.patient, "study": study.reference},
        idempotency_key=f"{prescreen.id}/pacs",
    )
