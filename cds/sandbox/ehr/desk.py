"""One clinician writing orders for one patient: the drafts, the cards that came back, and what became of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cds.errors import RequestError, UpstreamError
from cds.sandbox.ehr import cards, orders, suggestions
from cds.sandbox.ehr.answers import Answer
from cds.sandbox.ehr.cards import Card
from cds.sandbox.ehr.feedback import accepted, overridden
from cds.sandbox.ehr.ordering import CdsClient, HookExchange

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """Feedback as it was sent, and what the service said to it."""

    entry: Json
    status: int | None
    problem: str = ""


@dataclass
class Desk:
    """What the page shows and changes. ``patient`` and ``encounter`` are bare ids, ``user`` is a reference."""

    patient: str
    user: str
    encounter: str
    drafts: list[Json]
    exchange: HookExchange | None = None
    cards: list[Card] = field(default_factory=list)
    accepted: dict[int, list[int]] = field(default_factory=dict)
    """By the card's place, the places of its suggestions that were taken up."""
    overridden: set[int] = field(default_factory=set)
    sent: list[Sent] = field(default_factory=list)
    filed: list[str] = field(default_factory=list)
    """References of the orders that were signed."""
    opener: str = ""
    """Who opens apps, as a reference; whoever is at the desk where nobody else was chosen."""
    problem: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def edit(self, form: Mapping[str, str]) -> None:
        """Take over who opens apps, and what stands in the form's fields ``order-{n}-…``."""
        self.opener = form.get("opener", self.opener)
        for place, order in enumerate(self.drafts):
            if f"order-{place}-id" in form and form[f"order-{place}-id"] == order["id"]:
                fields = {name: form.get(f"order-{place}-{name}", "") for name in ("code", "priority", "reason")}
                self.drafts[place] = orders.edited(order, **fields)

    def sign(self, client: CdsClient) -> None:
        """Ask the service what it thinks of the drafts."""
        if not self.drafts:
            raise RequestError("there is no order to sign")
        self.exchange = client.sign_order(self.patient, self.drafts, user=self.user, encounter=self.encounter)
        self.cards = list(map(cards.read, self.exchange.cards))
        self.accepted, self.overridden, self.sent = {}, set(), []

    def open_suggestion(self, card: int, suggestion: int) -> bool:
        """Whether this suggestion may still be accepted (``selectionBehavior``)."""
        taken = self.accepted.get(card, [])
        return card not in self.overridden and (
            not taken or (self.cards[card].any_number and suggestion not in taken)
        )

    def accept(self, card: int, suggestion: int, client: CdsClient) -> None:
        """Apply a suggestion to the drafts, and tell the service."""
        chosen = self._card(card)
        if not 0 <= suggestion < len(chosen.suggestions) or not self.open_suggestion(card, suggestion):
            raise RequestError("this suggestion is not there, or not open any more")
        self.drafts = suggestions.apply(self.drafts, chosen.suggestions[suggestion].actions)
        taken = self.accepted.setdefault(card, [])
        taken.append(suggestion)
        ids = [chosen.suggestions[place].uuid for place in taken]
        if all(ids):
            self._tell(client, chosen, accepted(chosen.uuid, ids))

    def override(self, card: int, reason: str, comment: str, client: CdsClient) -> None:
        """Go on against a card, for one of its ``overrideReasons`` (by place) or one's own."""
        chosen = self._card(card)
        if card in self.overridden or self.accepted.get(card):
            raise RequestError("this card has been dealt with")
        picked = next((one for place, one in enumerate(chosen.override_reasons) if str(place) == reason), None)
        self.overridden.add(card)
        self._tell(client, chosen, overridden(chosen.uuid, reason=picked, comment=comment.strip()[:500]))

    def _card(self, place: int) -> Card:
        if not 0 <= place < len(self.cards):
            raise RequestError("there is no such card")
        return self.cards[place]

    def _tell(self, client: CdsClient, card: Card, entry: Json) -> None:
        """Feedback names cards by ``uuid``: about one without, nothing can be said."""
        if not card.uuid:
            return
        try:
            answer: Answer = client.feedback([entry])
        except UpstreamError as error:
            self.sent.append(Sent(entry, None, str(error)))
        else:
            self.sent.append(Sent(entry, answer.status))
