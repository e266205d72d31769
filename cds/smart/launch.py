"""EHR launch (SMART App Launch 2.2, app-launch.html, "EHR Launch").

The EHR sends the browser with ``iss`` and ``launch``; we send it on to that EHR's authorization server. An ``iss``
that is not registered ends here, before anything is sent: whoever could choose it would be given our assertion.
"""

from __future__ import annotations

from flask import Response, g

from cds.ehr.smart_configuration import discover
from cds.registration import Registration
from cds.smart.authorization import AuthorizationRequests
from cds.smart.query import parameter
from cds.smart.refusals import BadLaunch, UnregisteredEhr
from cds.smart.services import SmartServices


class Launch:
    """``GET /smart/launch?iss=…&launch=…``"""

    def __init__(self, services: SmartServices, requests: AuthorizationRequests) -> None:
        self._services = services
        self._requests = requests

    def __call__(self) -> Response:
        registration, base = self._ehr()
        g.registration = registration
        handle = parameter("launch")
        if not handle:
            raise BadLaunch("the parameter launch is missing")
        services = self._services
        configuration = discover(services.http, registration, base, timeout_s=services.timeout_s)
        return self._requests.begin(configuration, launch=handle)

    def _ehr(self) -> tuple[Registration, str]:
        """The registration and its FHIR base, equal to ``iss`` up to one slash."""
        iss = parameter("iss")
        registration = self._services.registrations.by_fhir_server(iss)
        base = iss.removesuffix("/")
        if registration is None or base not in registration.fhir_servers:
            raise UnregisteredEhr("iss is not the FHIR base of a registered EHR")
        return registration, base
