"""order-sign 1.0: an EHR signs orders, we answer with cards.

Audit: every read of the EHR, the inference, the hook itself, each in the transaction of what it records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cds import app_context
from cds.audit.balp import Party, User
from cds.audit.trail import OnBehalf, Trail
from cds.deadline import Deadline
from cds.errors import PreconditionFailed, RequestError, UpstreamError
from cds.hooks.cards import Card, cards
from cds.hooks.chart import Charts
from cds.hooks.client_auth import Client
from cds.hooks.request import HookRequest
from cds.prescreen import Prescreening
from cds.reporting.record import Record


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hook is answered with."""

    cards: list[Card]
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by step; they go out as ``Server-Timing``."""


class OrderSign:
    """The service ``imaging-prescreen``."""

    def __init__(
        self,
        prescreen: Prescreening,
        charts: Charts,
        record: Record,
        *,
        us: Party,
        handle_key: bytes,
        budget_ms: int,
    ) -> None:
        self._prescreen = prescreen
        self._charts = charts
        self._record = record
        self._us = us
        self._handle_key = handle_key
        self._budget_ms = budget_ms

    def __call__(self, client: Client, hook: HookRequest) -> Answer:
        """The cards, at most one, and how long each step took.

        Raises :class:`RequestError` where no answer can be given; nothing is then kept but the audit.
        """
        deadline = Deadline.after(self._budget_ms)
        trail = Trail(
            self._us, OnBehalf(User(client.registration.issuer, hook.user), client.jti, hook.hook_instance)
        )
        try:
            return self._answer(client, hook, deadline, trail)
        except RequestError as refusal:
            trail.hook_refused(client.registration.issuer, hook.service.id, str(refusal))
            self._record.audit(client.tenant, trail)
            raise
        finally:
            trail.hand_over(lambda event: self._record.event(client.tenant, event))

    def _answer(self, client: Client, hook: HookRequest, deadline: Deadline, trail: Trail) -> Answer:
        trail.hook_called(client.registration.issuer, hook.service.id, f"Patient/{hook.patient_id}")
        if not hook.orders:
            self._record.audit(client.tenant, trail)
            return Answer([])
        subject, chart = self._charts.open(client, hook, deadline, trail)
        try:
            chart.patient()
        except UpstreamError as lacking:
            raise PreconditionFailed(f"the patient cannot be had: {lacking}") from None
        prescreen = self._prescreen(subject, chart, deadline, trail)
        handle = app_context.issue(self._handle_key, prescreen.id)
        given = cards(prescreen, hook.orders, self._us.address, handle)
        self._record.answered(client.tenant, hook.service.id, prescreen, given, trail)
        return Answer(given, prescreen.timings)
