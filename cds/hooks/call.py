"""One call of a hook, from the moment its caller is known: a budget of time, and an audit trail whatever comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cds.audit.balp import Party, User
from cds.audit.trail import OnBehalf, Trail
from cds.deadline import Deadline
from cds.errors import RequestError
from cds.hooks.cards import Card
from cds.hooks.client_auth import Client
from cds.hooks.request import HookRequest
from cds.reporting.record import Record

TELLING_MS = 100
"""Of the budget, what is left for fusing, recording and sending the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hook is answered with."""

    cards: list[Card]
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by step; they go out as ``Server-Timing``."""


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked, by whom, to be answered by when."""

    client: Client
    hook: HookRequest
    deadline: Deadline
    """By when there must be something to tell."""
    trail: Trail

    @property
    def patient(self) -> str:
        return f"Patient/{self.hook.context.patient_id}"


class Answering:
    """Answers the calls of one service by ``answer``.

    Audit: every read of the EHR, the inference, the hook itself, each in the transaction of what it records; what
    no transaction took along is written before the answer goes out, and what happens later as it happens.
    """

    def __init__(self, answer: Callable[[Call], Answer], record: Record, *, us: Party, budget_ms: int) -> None:
        self._answer = answer
        self._record = record
        self._us = us
        self._budget_ms = budget_ms

    def __call__(self, client: Client, hook: HookRequest, arrived: float) -> Answer:
        """``arrived``: when the request came, on the monotonic clock; the budget is counted from there.

        Raises :class:`RequestError` where no answer can be given; nothing is then kept but the audit.
        """
        issuer, service = client.registration.issuer, hook.service.id
        behalf = OnBehalf(User(issuer, hook.context.user), client.jti, hook.hook_instance)
        deadline = Deadline.after(self._budget_ms - TELLING_MS, since=arrived)
        call = Call(client, hook, deadline, Trail(self._us, behalf))
        call.trail.hook_called(issuer, service, call.patient)
        try:
            answer = self._answer(call)
            self._record.audit(client.tenant, call.trail)
            return answer
        except RequestError as refusal:
            call.trail.hook_refused(issuer, service, str(refusal))
            self._record.audit(client.tenant, call.trail)
            raise
        finally:
            call.trail.hand_over(lambda event: self._record.event(client.tenant, event))
