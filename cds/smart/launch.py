"""EHR launch and standalone launch (SMART App Launch 2.2, app-launch.html, "Launch App").

The browser names the EHR by ``iss``; we send it on to that EHR's authorization server. An ``iss`` that is not
registered ends here, before anything is sent: whoever could choose it would be given our assertion.
"""

from __future__ import annotations

from flask import Response, g, make_response, render_template

from cds.registration import Registration, Registrations
from cds.smart.authorization import AuthorizationRequests
from cds.smart.query import parameter
from cds.smart.refusals import BadLaunch, NoStandalone, UnregisteredEhr
from cds.smart.services import SmartServices


class EhrLaunch:
    """``GET /smart/launch?iss=…&launch=…``: the EHR opens us for the patient whose chart is open."""

    def __init__(self, services: SmartServices, requests: AuthorizationRequests) -> None:
        self._services = services
        self._requests = requests

    def __call__(self) -> Response:
        registration, base = _ehr(self._services.registrations)
        handle = parameter("launch")
        if not handle:
            raise BadLaunch("the parameter launch is missing")
        with self._services.ehrs.used(registration, base) as configuration:
            return self._requests.begin(configuration, "launch", launch=handle)


class StandaloneLaunch:
    """``GET /smart/standalone``: the EHRs that allow it; with ``iss`` one of them is asked who and whom about."""

    def __init__(self, services: SmartServices, requests: AuthorizationRequests) -> None:
        self._services = services
        self._requests = requests

    def __call__(self) -> Response:
        if not parameter("iss"):
            offered = [registration for registration in self._services.registrations if registration.standalone]
            return make_response(render_template("smart/standalone.html", offered=offered))
        registration, base = _ehr(self._services.registrations)
        if not registration.standalone:
            raise NoStandalone("the EHR is not registered for standalone launches")
        with self._services.ehrs.used(registration, base) as configuration:
            return self._requests.begin(configuration, "launch/patient")


def _ehr(registrations: Registrations) -> tuple[Registration, str]:
    """The registration and its FHIR base, equal to ``iss`` up to one slash."""
    iss = parameter("iss")
    registration = registrations.by_fhir_server(iss)
    base = iss.removesuffix("/")
    if registration is None or base not in registration.fhir_servers:
        raise UnregisteredEhr("iss is not the FHIR base of a registered EHR")
    g.registration = registration
    return registration, base
