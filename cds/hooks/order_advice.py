"""Advice on orders: what order-sign and order-select have in common.

What an order gets goes by what it is for (:mod:`cds.hooks.imaging_procedure`):

- imaging of the chest, or of who knows what: every finding above LOW, or why nothing could be looked at, or why
  the film that nothing was found on is in doubt;
- any other service request, be it a knee film, a blood test or a referral: only what is HIGH and time-critical;
- a draft for imaging of the chest that can wait: beside a HIGH time-critical finding, the offer to make it STAT;
- a draft for any imaging: a card where it seems a duplicate (:mod:`cds.hooks.duplicates`);
- an order that is no draft any more: advice, and nothing that would change it;
- what is revoked, mistaken or not to be done, and whatever is no ServiceRequest: nothing; no prescreen is made.

The worst finding, where HIGH, may call for a further test (:mod:`cds.hooks.follow_up`), unless one like it is
among the orders, selected or not, or was done since the film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from cds.ehr.datatypes import string
from cds.findings import Finding, Prescreen
from cds.hooks import cards
from cds.hooks.call import Answer, Call
from cds.hooks.cards import Statement, Suggestion
from cds.hooks.duplicates import Study, possible_duplicates, studies
from cds.hooks.follow_up import called_for
from cds.hooks.imaging_procedure import Procedure, of_order
from cds.hooks.look import Look
from cds.hooks.telling import Telling
from cds.reporting import words

Order = dict[str, Any]

_NOT_ASKED_FOR = frozenset({"revoked", "entered-in-error"})
_MOST_ORDERS = 100
"""More than anybody signs at once; what goes beyond is not looked at."""


@dataclass(frozen=True, slots=True)
class OrderAdvice:
    """Prescreens the patient on account of orders.

    Imaging is a possible duplicate of what was done within ``duplicate_window``.
    """

    look: Look
    telling: Telling
    duplicate_window: timedelta

    def __call__(self, call: Call, orders: Iterable[Order]) -> Answer:
        """The cards about the service requests among ``orders``; none where there are none.

        Raises :class:`~cds.errors.RequestError` where no answer can be given.
        """
        ours = _asked_for(orders)
        if not ours:
            return Answer([])
        looked = self.look(call)
        at_hand = OrdersAtHand(call, looked.prescreen, ours, studies(looked.chart.studies_at_hand()))
        given = self.telling(
            call,
            looked.prescreen,
            at_hand.findings(),
            suggestions=at_hand.suggestions,
            besides=[
                *at_hand.nothing_seen(),
                *at_hand.film_in_doubt(self.telling.link),
                *at_hand.duplicates(self.duplicate_window),
            ],
            also=looked.results,
        )
        return Answer(given, looked.prescreen.timings)


@dataclass(frozen=True, slots=True)
class OrdersAtHand:
    """The rules: what is worth saying of ``prescreen`` on account of ``orders``, and worth suggesting."""

    call: Call
    prescreen: Prescreen
    orders: Sequence[Order]
    done: Sequence[Study]
    """The studies of the chart, newest first."""

    def findings(self) -> list[Finding]:
        """Those worth saying, worst first."""
        said = words.worth_saying(self.prescreen)
        chest = any(_may_be_chest_imaging(order) for order in self.orders)
        return [finding for finding in said if chest or cards.indicator(finding) == "critical"]

    def nothing_seen(self) -> Iterator[Statement]:
        """That nothing could be looked at, where somebody is at fault and someone would have liked to know."""
        lacking = not self.prescreen.findings and any(missing.fault for missing in self.prescreen.missing)
        if lacking and any(_may_be_chest_imaging(order) for order in self.orders):
            yield cards.of_nothing_seen(self.prescreen)

    def film_in_doubt(self, link: Callable[[Prescreen], Mapping[str, str]]) -> Iterator[Statement]:
        """That the film is in doubt, where no finding is worth a card that would say so."""
        film = self.prescreen.study
        if film and film.quality and not self.findings() and any(_may_be_chest_imaging(o) for o in self.orders):
            yield cards.of_film_in_doubt(self.prescreen, film, now=datetime.now(UTC), link=link(self.prescreen))

    def duplicates(self, window: timedelta) -> Iterator[Statement]:
        drafts = [order for order in self._all_orders() if _is_draft(order)]
        now = datetime.now(UTC)
        return possible_duplicates(self.orders, drafts, self.done, self.prescreen, window=window, now=now)

    def suggestions(self, worst: Finding) -> list[Suggestion]:
        return [*self._stat(worst), *self._follow_up(worst)]

    def _stat(self, worst: Finding) -> Iterator[Suggestion]:
        if cards.indicator(worst) != "critical":
            return
        for order in self.orders:
            procedure = of_order(order)
            can_wait = order.get("priority", "routine") == "routine"
            if procedure and procedure.of_the_chest and _is_draft(order) and can_wait:
                yield _make_stat(order, worst)

    def _follow_up(self, worst: Finding) -> Iterator[Suggestion]:
        ordered = [procedure for order in self._all_orders() if (procedure := of_order(order))]
        follow_up = called_for(worst, [*ordered, *self._done_since_the_film()])
        if follow_up:
            order = follow_up.order(worst, self.prescreen.patient, self.call.hook.context)
            yield {
                "label": f"Add: {follow_up.display}",
                "isRecommended": True,
                "actions": [
                    {"type": "create", "description": _sentence(follow_up.reason), "resource": order},
                ],
            }

    def _all_orders(self) -> list[Order]:
        """The selected and the others."""
        return _asked_for(self.call.hook.context.draft_orders)

    def _done_since_the_film(self) -> list[Procedure]:
        film = self.prescreen.study.started if self.prescreen.study else None
        return [study.procedure for study in self.done if film and study.started >= film]


def _make_stat(order: Order, worst: Finding) -> Mapping[str, Any]:
    because = f"Priority stat, because {worst.type.display.lower()} is likely"
    action = {"type": "update", "description": because, "resource": {**order, "priority": "stat"}}
    return {"label": "Change the order's priority to STAT", "isRecommended": True, "actions": [action]}


def _asked_for(orders: Iterable[Order]) -> list[Order]:
    return list(islice(filter(_is_asked_for, orders), _MOST_ORDERS))


def _is_asked_for(order: Order) -> bool:
    wanted = string(order, "status") not in _NOT_ASKED_FOR and order.get("doNotPerform") is not True
    return wanted and order.get("resourceType") == "ServiceRequest"


def _is_draft(order: Order) -> bool:
    return bool(order.get("status", "draft") == "draft")


def _may_be_chest_imaging(order: Order) -> bool:
    procedure = of_order(order)
    return procedure is not None and procedure.may_show_the_chest


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
