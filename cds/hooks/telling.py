"""What we tell is kept: the cards of an answer with the prescreen they come of, for the feedback that may come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds import app_context
from cds.findings import Prescreen
from cds.hooks.call import Call
from cds.hooks.cards import Card, cards
from cds.reporting.record import Record


@dataclass(frozen=True, slots=True)
class Telling:
    """Makes and keeps cards; their links to the app are signed with ``handle_key``."""

    record: Record
    base_url: str
    handle_key: bytes

    def __call__(self, call: Call, prescreen: Prescreen, orders: Sequence[Mapping[str, Any]]) -> list[Card]:
        """The cards, at most one, about ``prescreen``; ``orders`` are those that it may suggest to change."""
        handle = app_context.issue(self.handle_key, prescreen.id)
        given = cards(prescreen, orders, self.base_url, handle)
        self.record.answered(call.client.tenant, call.hook.service.id, prescreen, given, call.trail)
        return given
