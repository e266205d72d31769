"""Opens patients' charts: with the token that somebody lends us, or by our own access."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field

import httpx

from cds.audit.trail import Trail
from cds.deadline import Deadline
from cds.ehr.backend_services import BackendServices
from cds.ehr.chart import Chart
from cds.ehr.directory import Directory
from cds.ehr.fhir_client import FhirClient
from cds.ehr.in_flight import InFlight
from cds.ehr.prefetch import Prefetched
from cds.pacs import PacsAccess
from cds.prescreen import Subject
from cds.registration import Registration

SCOPES = tuple(
    f"system/{type_}.rs"
    for type_ in (
        *("Patient", "ImagingStudy", "Endpoint"),
        *("DocumentReference", "DiagnosticReport", "Composition", "Binary"),
        *("Practitioner", "PractitionerRole", "Organization", "RelatedPerson"),
    )
)
"""What a prescreen reads (SMART App Launch 2.2, "Scopes for requesting FHIR Resources")."""


@dataclass(frozen=True, slots=True)
class Charts:
    """Opens charts; they read over ``http`` in ``executor``, and ``backend`` gives us tokens of our own."""

    http: httpx.Client
    pacs: PacsAccess
    backend: BackendServices
    executor: Executor
    lookback_days: int
    max_documents: int
    directory: Directory = field(default_factory=Directory)
    in_flight: InFlight = field(default_factory=InFlight)

    def open(
        self,
        registration: Registration,
        base: str,
        patient_id: str,
        *,
        auth: httpx.Auth,
        deadline: Deadline,
        trail: Trail,
        prefetched: Prefetched | None = None,
    ) -> tuple[Subject, Chart]:
        """The chart of ``Patient/{patient_id}`` at the FHIR server ``base``, read with ``auth``."""
        subject = Subject(
            tenant=registration.tenant,
            fhir_server=base,
            patient_id=patient_id,
            pacs=self.pacs.opener(registration, base),
            pacs_roots=registration.pacs_roots,
        )
        fhir = FhirClient(
            self.http,
            registration,
            base,
            auth,
            timeout_s=lambda: deadline.remaining,
            in_flight=self.in_flight,
            on_access=lambda method, url, status: trail.fhir_read(base, subject.patient, url, status),
        )
        chart = Chart(
            fhir,
            patient_id,
            self.executor,
            prefetched=prefetched,
            directory=self.directory,
            lookback_days=self.lookback_days,
            max_documents=self.max_documents,
        )
        return subject, chart

    def open_by_ourselves(
        self, registration: Registration, base: str, patient_id: str, *, deadline: Deadline, trail: Trail
    ) -> tuple[Subject, Chart]:
        """The same chart by our own access (SMART Backend Services), its patient at hand.

        Raises :class:`~cds.errors.UpstreamError` where the EHR does not let us.
        """
        auth = self.backend.auth(registration, base, SCOPES)
        subject, chart = self.open(registration, base, patient_id, auth=auth, deadline=deadline, trail=trail)
        chart.patient()
        return subject, chart
