"""The AuditEvents of one request, gathered until the transaction that they belong to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from cds.audit import balp
from cds.audit.balp import Event, Exchange, Outcome, Party, User
from cds.findings import ModelVersion, Prescreen

UNKNOWN_CALLER = "unknown"
"""The tenant whose chain holds the refusals of callers that are nobody's."""


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """For whom a request is served, and what ties its events together."""

    user: User | None = None
    token_id: str | None = None
    transaction: str | None = None


class Trail:
    """Collects events from any thread; whoever opens the transaction takes them along.

    ``us`` is this service, as client of an EHR, as server of a hook, and as the one who observes.
    """

    def __init__(self, us: Party, on_behalf: OnBehalf) -> None:
        self.on_behalf = on_behalf
        self._us = us
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._late: Callable[[Event], None] | None = None

    def add(self, event: Event) -> None:
        with self._lock:
            late = self._late
            if late is None:
                self._events.append(event)
        if late:
            late(event)

    def taken(self) -> AbstractContextManager[list[Event]]:
        """All events so far, to be written within this context; where that fails they are back in the trail."""
        return self._taken(self._late)

    def closed(self, late: Callable[[Event], None]) -> AbstractContextManager[list[Event]]:
        """As :meth:`taken`, for the last time: from now on each event is told to ``late`` as it happens."""
        return self._taken(late)

    @contextmanager
    def _taken(self, late: Callable[[Event], None] | None) -> Iterator[list[Event]]:
        with self._lock:
            before, self._late = self._late, late
            events, self._events = self._events, []
        try:
            yield events
        except BaseException:
            with self._lock:
                self._late = before
                self._events = events + self._events
            raise

    def beside(self) -> Trail:
        """An empty trail of the same request, for work that outlives it and has transactions of its own."""
        return Trail(self._us, self.on_behalf)

    def fhir_read(self, base: str, patient: str, url: str, status: int | None) -> None:
        """We read or searched ``url`` below the server ``base``; ``status`` is None where nothing came back."""
        exchange = self._exchange(client=self._us, server=Party(base, base))
        below = url.removeprefix(base).lstrip("/")
        path, _, query = below.partition("?")
        if query:
            event = balp.patient_query(exchange, patient, f"GET {below}")
        else:
            event = balp.patient_read(exchange, patient, urlsplit(path).path or "metadata")
        if status is None or status >= 400:
            reason = "no answer" if status is None else f"answered {status}"
            event = balp.failed(event, reason, Outcome.MINOR_FAILURE)
        self.add(event)

    def hook_called(self, caller: str, service: str, patient: str) -> None:
        self.add(balp.hook_call(self._exchange(Party(caller, caller), self._us), service, patient))

    def hook_refused(self, caller: str, service: str, reason: str) -> None:
        self.add(balp.refusal(self._exchange(Party(caller, caller), self._us), service, reason))

    def feedback_given(self, caller: str, service: str) -> None:
        self.add(balp.hook_call(self._exchange(Party(caller, caller), self._us), f"{service}/feedback"))

    def assessed(self, caller: str, service: str, models: Iterable[ModelVersion]) -> None:
        """Models looked at what a caller said; nothing of that is kept."""
        self.add(balp.assessment(self._exchange(Party(caller, caller), self._us), service, models))

    def inference(self, prescreen: Prescreen) -> Event:
        """That models looked at the inputs: for the transaction that keeps what they found."""
        study = [prescreen.study.reference] if prescreen.study else []
        return balp.inference(
            self._exchange(self._us, self._us),
            prescreen.patient,
            inputs=[*study, *(note.reference for note in prescreen.notes)],
            models=prescreen.models,
        )

    def report_created(self, prescreen: Prescreen, report: str) -> Event:
        """That a report of it was made: for the report's own transaction."""
        return balp.patient_create(
            self._exchange(self._us, self._us), prescreen.patient, f"DiagnosticReport/{report}"
        )

    def report_updated(self, patient: str, report: str) -> Event:
        """That a report says something else now: for the transaction that writes it."""
        return balp.patient_update(self._exchange(self._us, self._us), patient, f"DiagnosticReport/{report}")

    def _exchange(self, client: Party, server: Party) -> Exchange:
        behalf = self.on_behalf
        return Exchange(
            client, server, self._us, user=behalf.user, token_id=behalf.token_id, transaction=behalf.transaction
        )


def party(base_url: str) -> Party:
    """This service at its public address."""
    return Party("sightline", base_url)
