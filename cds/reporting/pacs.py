"""What was found in an image, on its way to the PACS that holds it, and what is taken back of it there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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
            if study and _shows_anything(prescreen):
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
    outbox.enqueue(
        connection,
        prescreen.tenant,
        kind=outbox.DICOM_RESULTS,
        destination=pacs.root,
        payload=_payload(prescreen, study),
        idempotency_key=f"{prescreen.id}/pacs",
    )


def take_back(connection: Connection, prescreen: Prescreen, reason: str) -> None:
    """Enqueue the rejection of what the PACS was given of a prescreen; whether it was, the PACS itself says.

    For the PACS may not ask any more, and what was delivered is not kept for ever.
    """
    study = prescreen.study
    if study and _shows_anything(prescreen):
        outbox.enqueue(
            connection,
            prescreen.tenant,
            kind=outbox.DICOM_REJECTION,
            destination=study.root,
            payload={
                **_payload(prescreen, study),
                "reason": reason,
                "withdrawn": datetime.now(UTC).isoformat(timespec="milliseconds"),
            },
            idempotency_key=f"{prescreen.id}/pacs/rejection",
        )


def _shows_anything(prescreen: Prescreen) -> bool:
    return any(finding.image is not None for finding in prescreen.findings)


def _payload(prescreen: Prescreen, study: StudySeen) -> dict[str, Any]:
    """What is delivered is made then, from what the PACS holds: what is kept here names the prescreen, no more."""
    return {"prescreen": prescreen.id, "patient": prescreen.patient, "study": study.reference}
