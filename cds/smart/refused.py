"""How a refusal becomes a page, and what the audit trail says of it."""

from __future__ import annotations

import logging

from flask import g, render_template, request

from cds.audit import balp
from cds.audit.trail import UNKNOWN_CALLER
from cds.errors import SightlineError
from cds.registration import Registration
from cds.smart import audit
from cds.smart.refusals import PatientChanged, Refusal, SessionExpired
from cds.smart.services import SmartServices
from cds.store.rate_limit import Exceeded, failures_limit, network

log = logging.getLogger(__name__)


class Refused:
    """Shows the page, and records the refusal: of nobody's EHR in a chain of its own, and not without end."""

    def __init__(self, services: SmartServices) -> None:
        self._services = services
        self._strangers = failures_limit(services.valkey, services.settings.hook_rate_per_minute)

    def __call__(self, refusal: Refusal) -> tuple[str, int]:
        log.info("refused: %s", refusal)
        registration: Registration | None = g.get("registration")
        if registration:
            self._record(registration.tenant, str(refusal))
        elif not isinstance(refusal, SessionExpired):  # who comes without a session was refused nothing
            self._record_of_nobody(str(refusal))
        if isinstance(refusal, SessionExpired | PatientChanged):
            g.pop("session", None)  # there is nothing to log out of
        return render_template("smart/refused.html", refusal=refusal), refusal.status

    def _record_of_nobody(self, reason: str) -> None:
        """The page is shown however often; the trail would never forget."""
        try:
            self._strangers.check(network(request.remote_addr))
        except Exceeded as exceeded:
            if not exceeded.first:
                return
            reason = str(exceeded)
        self._record(UNKNOWN_CALLER, reason)

    def _record(self, tenant: str, reason: str) -> None:
        exchange = audit.with_browser(self._services, g.get("session"))
        try:
            self._services.on_event(tenant, balp.refusal(exchange, "SMART app", reason))
        except SightlineError as error:
            # Nothing was shown, so nothing is hidden by going on without it.
            log.error("a refusal could not be recorded (%s)", type(error).__name__)
