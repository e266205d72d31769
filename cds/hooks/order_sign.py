"""order-sign 1.0: an EHR signs orders, we answer with cards.

Audit: every read of the EHR, the inference, the hook itself, each in the transaction of what it records.
"""

from __future__ import annotations

from collections.abc import Callable

from cds.audit import balp
from cds.audit.trail import Trail
from cds.deadline import Deadline
from cds.ehr.chart import Chart
from cds.errors import RequestError
from cds.hooks.cards import Card
from cds.hooks.client_auth import Client
from cds.hooks.request import HookRequest
from cds.prescreen import Prescreening, Subject
from cds.reporting.record import Record

OpenChart = Callable[[Client, HookRequest, Deadline, Trail], tuple[Subject, Chart]]


class OrderSign:
    """The service ``imaging-prescreen``."""

    def __init__(
        self,
        prescreen: Prescreening,
        open_chart: OpenChart,
        record: Record,
        *,
        base_url: str,
        handle_key: bytes,
        budget_ms: int,
    ) -> None:
        self._prescreen = prescreen
        self._open_chart = open_chart
        self._record = record
        self._base_url = base_url
        self._handle_key = handle_key
        self._budget_ms = budget_ms

    def __call__(self, client: Client, hook: HookRequest) -> list[Card]:
        """Raises :class:`RequestError` where the answer cannot be given; nothing is then kept but the audit."""
        trail = Trail()
        try:
            return self._answer(client, hook, trail)
        except RequestError as refusal:
            trail.add(balp.refusal(**self._event(client, hook), reason=str(refusal)))
            self._record.audit(client.tenant, trail)
            raise
