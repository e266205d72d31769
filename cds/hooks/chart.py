"""The patient's chart as a hook may read it: what came by prefetch, and the rest with the token it lent us."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from cds.charts import Charts
from cds.ehr.bearer import Bearer
from cds.ehr.chart import Chart
from cds.ehr.prefetch import Prefetched
from cds.errors import Forbidden, NotAllowed, PreconditionFailed, Refused, UpstreamError
from cds.hooks.call import Call
from cds.hooks.client_auth import Client
from cds.hooks.request import HookRequest
from cds.prescreen import Subject


class NoToken(httpx.Auth):
    """Stands where the EHR lent no token: nothing is sent."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        raise Refused("the EHR gave no access token for it")
        yield request


def opened(charts: Charts, call: Call) -> tuple[Subject, Chart]:
    """The chart; :class:`PreconditionFailed` where its patient cannot be had.

    A patient who is merely late is no reason to refuse: what is not there by the deadline the worker finishes.
    Raises :class:`Forbidden` for a FHIR server, or a token, that is not this client's or this patient's.
    """
    base = fhir_base(call.client, call.hook)
    subject, chart = charts.open(
        call.client.registration,
        base,
        call.hook.context.patient_id,
        auth=_auth(call.hook, base),
        deadline=call.deadline,
        trail=call.trail,
        prefetched=Prefetched(call.hook.prefetch),
    )
    try:
        chart.patient_by(call.deadline)
    except UpstreamError as lacking:
        raise PreconditionFailed(f"the patient cannot be had: {lacking}") from None
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
