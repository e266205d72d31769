"""One call of a hook, from the moment its caller is known: a budget of time, and an audit trail whatever comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
TELLING_OTHERS_MS = 13
"""So much more for each other call under way: whose time is over at once is told at once, by the same cores."""
MOST_TELLING = 2 / 3
"""Of the budget: a crowd leaves each little time to look, and nobody none."""


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


class UnderWay:
    """The calls that are being answered by this process, and until when each may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[tuple[float, Deadline]] = []
        """When the budget of each is over, and its deadline."""

    @contextmanager
    def one_more(self, arrived: float, budget_ms: int) -> Iterator[Deadline]:
        """Within the context it is one more, and gets the deadline; that of each other comes nearer.

        ``arrived``: on the monotonic clock.
        """
        call = (arrived + budget_ms / 1000, Deadline.after(budget_ms, since=arrived))
        with self._lock:
            self._calls.append(call)
            telling_ms = TELLING_MS + (len(self._calls) - 1) * TELLING_OTHERS_MS
            for over, deadline in self._calls:
                deadline.hasten(over - min(telling_ms, budget_ms * MOST_TELLING) / 1000)
        try:
            yield call[1]
        finally:
            with self._lock:
                self._calls.remove(call)


class Answering:
    """Answers the calls of one service by ``answer``.

    Audit: every read of the EHR, the inference, the hook itself, each in the transaction of what it records; what
    no transaction took along is written before the answer goes out, and what happens later as it happens.
    """

    def __init__(
        self, answer: Callable[[Call], Answer], record: Record, *, us: Party, budget_ms: int, under_way: UnderWay
    ) -> None:
        self._answer = answer
        self._record = record
        self._us = us
        self._budget_ms = budget_ms
        self._under_way = under_way

    def __call__(self, client: Client, hook: HookRequest, arrived: float) -> Answer:
        """``arrived``: when the request came, on the monotonic clock; the budget is counted from there.

        Raises :class:`RequestError` where no answer can be given; nothing is then kept but the audit.
        """
        with self._under_way.one_more(arrived, self._budget_ms) as deadline:
            return self._answered(client, hook, deadline)

    def _answered(self, client: Client, hook: HookRequest, deadline: Deadline) -> Answer:
        issuer, service = client.registration.issuer, hook.service.id
        behalf = OnBehalf(User(issuer, hook.context.user), client.jti, hook.hook_instance)
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
