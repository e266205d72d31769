"""The patient's chart as a hook may read it: what came by prefetch, and the rest with the token it lent us."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Executor
from dataclasses import dataclass

import httpx

from cds.audit.trail import Trail
from cds.deadline import Deadline
from cds.ehr.backend_services import BackendServices
from cds.ehr.bearer import Bearer
from cds.ehr.chart import Chart
from cds.ehr.fhir_client import FhirClient
from cds.ehr.prefetch import Prefetched
from cds.errors import Forbidden, NotAllowed, PreconditionFailed, Refused, UpstreamError
from cds.hooks.call import Call
from cds.hooks.client_auth import Client
from cds.hooks.request import HookRequest
from cds.pacs import PacsAccess
from cds.prescreen import Subject

SCOPES = tuple(
    f"system/{type_}.rs"
    for type_ in (
        *("Patient", "ImagingStudy", "Endpoint"),
        *("DocumentReference", "DiagnosticReport", "Composition", "Binary"),
        *("Practitioner", "PractitionerRole", "Organization", "RelatedPerson"),
    )
)
"""What a prescreen reads (SMART App Launch 2.2, "Scopes for requesting FHIR Resources")."""


class NoToken(httpx.Auth):
    """Stands where the EHR lent no token: nothing is sent."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        raise Refused("the EHR gave no access token for it")
        yield request


@dataclass(frozen=True, slots=True)
class Charts:
    """Opens charts; they read over ``http`` in ``executor``, after the call with tokens of ``backend``."""

    http: httpx.Client
    pacs: PacsAccess
    backend: BackendServices
    executor: Executor
    lookback_days: int
    max_documents: int

    def open(self, call: Call) -> tuple[Subject, Chart]:
        """The chart, its patient at hand; :class:`PreconditionFailed` where the patient cannot be had.

        Raises :class:`Forbidden` for a FHIR server, or a token, that is not this client's or this patient's.
        """
        base = fhir_base(call.client, call.hook)
        auth = _auth(call.hook, base)
        prefetched = Prefetched(call.hook.prefetch)
        subject, chart = self._chart(call, base, auth, call.deadline, call.trail, prefetched)
        try:
            chart.patient()
        except UpstreamError as lacking:
            raise PreconditionFailed(f"the patient cannot be had: {lacking}") from None
        return subject, chart

    def reopen(self, call: Call, deadline: Deadline, trail: Trail) -> tuple[Subject, Chart]:
        """The same chart after the call: all of it is read anew, by our own access (SMART Backend Services).

        Raises :class:`~cds.errors.UpstreamError` where the EHR does not let us.
        """
        base = fhir_base(call.client, call.hook)
        auth = self.backend.auth(call.client.registration, base, SCOPES)
        subject, chart = self._chart(call, base, auth, deadline, trail, Prefetched())
        chart.patient()
        return subject, chart

    def _chart(
        self, call: Call, base: str, auth: httpx.Auth, deadline: Deadline, trail: Trail, prefetched: Prefetched
    ) -> tuple[Subject, Chart]:
        registration, patient_id = call.client.registration, call.hook.context.patient_id
        subject = Subject(
            tenant=call.client.tenant,
            fhir_server=base,
            patient_id=patient_id,
            pacs=self.pacs.opener(registration, base),
        )
        fhir = FhirClient(
            self.http,
            registration,
            base,
            auth,
            timeout_s=lambda: deadline.remaining,
            on_access=lambda method, url, status: trail.fhir_read(base, subject.patient, url, status),
        )
        chart = Chart(
            fhir,
            patient_id,
            self.executor,
            prefetched=prefetched,
            lookback_days=self.lookback_days,
            max_documents=self.max_documents,
        )
        return subject, chart


def fhir_base(client: Client, hook: HookRequest) -> str:
    """The FHIR server that the call is about; :class:`Forbidden` for one that is not this client's."""
    if hook.fhir_server is None:
        return client.registration.fhir_servers[0]
    try:
        return client.registration.fhir_server(hook.fhir_server)
    except NotAllowed:
        raise Forbidden("fhirServer is not registered for this client") from None


def _auth(hook: HookRequest, base: str) -> httpx.Auth:
    if hook.authorization is None:
        return NoToken()
    if hook.authorization.patient not in (None, hook.context.patient_id):
        raise Forbidden("fhirAuthorization is for another patient than the context")
    return Bearer(hook.authorization.access_token, base)
