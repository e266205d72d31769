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
TELLING_OTHERS_MS = 4
"""So much more for each other call under way: what they write goes to the disk together, and takes longer."""
TELLING_NEXT_MS = 13
"""So long after one call the next may be told: whose time is over at once is told at once, by the same cores."""
MOST_TELLING = 2 / 3
"""Of the budget: a crowd leaves each a little time to look, and nobody none."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _UnderWay:
    deadline: Deadline
    least: float
    """On the monotonic clock: until then it may look, however many there are."""


class UnderWay:
    """The calls that are being answered by this process, and until when each may look: they are told in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[_UnderWay] = []

    @contextmanager
    def one_more(self, arrived: float, budget_ms: int) -> Iterator[Deadline]:
        """Within the context it is one more, and gets the deadline; those before it are told before it.

        ``arrived``: on the monotonic clock.
        """
        least_ms = budget_ms * (1 - MOST_TELLING)
        with self._lock:
            telling_ms = TELLING_MS + len(self._calls) * TELLING_OTHERS_MS
            deadline = Deadline.after(max(least_ms, budget_ms - telling_ms), since=arrived)
            call = _UnderWay(deadline, arrived + least_ms / 1000)
            self._calls.append(call)
            self._spread()
        try:
            yield deadline
        finally:
            with self._lock:
                self._calls.remove(call)

    def _spread(self) -> None:
        """From the last that came to the first, each deadline far enough before the next."""
        following = float("inf")
        for call in reversed(self._calls):
            call.deadline.hasten(max(call.least, following - TELLING_NEXT_MS / 1000))
            following = call.deadline.at


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
            return self._answer(call)
        except RequestError as refusal:
            call.trail.hook_refused(issuer, service, str(refusal))
            raise
        finally:
            self._record.write_last(client.tenant, call.trail)
