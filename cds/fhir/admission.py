"""Who may come in, and that whoever may not is in the audit trail: not without end, for it never forgets."""

from __future__ import annotations

from typing import Protocol

from cds.audit import balp
from cds.audit.balp import Exchange, Party
from cds.audit.trail import UNKNOWN_CALLER
from cds.errors import TooManyRequests, Unauthenticated
from cds.fhir.access import Access
from cds.fhir.tokens import Tokens
from cds.reporting.record import Record
from cds.store.valkey import Window

FAILURES_PER_MINUTE = 60
MINUTE_S = 60.0


class Counts(Protocol):
    """Counts, for all workers together."""

    def count(self, key: str, window_s: float) -> Window | None: ...


class Admission:
    """Stands before everything that needs a token."""

    def __init__(self, us: Party, tokens: Tokens, counts: Counts, record: Record) -> None:
        self._us = us
        self._tokens = tokens
        self._counts = counts
        self._record = record

    def admit(self, authorization: str | None, address: str) -> Access:
        """The bearer's access; else :class:`Unauthenticated`, or :class:`TooManyRequests` after many failures."""
        try:
            return self._tokens.access(authorization)
        except Unauthenticated as refusal:
            self._refuse(refusal, address)
            raise

    def _refuse(self, refusal: Unauthenticated, address: str) -> None:
        window = self._counts.count(f"rate:fhir:{address}", MINUTE_S)
        if window and window.count > FAILURES_PER_MINUTE:
            raise TooManyRequests(
                f"more than {FAILURES_PER_MINUTE} refusals in a minute",
                retry_after_s=max(1, round(window.seconds_left)),
            )
        exchange = Exchange(Party(address, address), self._us, self._us)
        self._record.event(UNKNOWN_CALLER, balp.refusal(exchange, "fhir", str(refusal)))
