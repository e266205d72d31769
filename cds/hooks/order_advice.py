"""Advice on orders: what order-sign and order-select have in common.

What an order gets goes by what it is for (:mod:`cds.ehr.imaging_procedure`):

- imaging: every finding above LOW in what it may show, or why nothing of that could be looked at, or why the film
  that nothing was found on is in doubt; the findings of the shipped models are all in the chest;
- a CT of what a CT bundle in use reads: a CT on record is looked at, in the place of a radiograph;
- any other service request, be it a knee film, a blood test or a referral: only what is HIGH and time-critical;
- a draft for imaging that can wait: beside a HIGH time-critical finding in what it shows, the offer of STAT;
- a draft for any imaging: a card where it seems a duplicate (:mod:`cds.hooks.duplicates`);
- an order that is no draft any more: advice, and nothing that would change it;
- what is revoked, mistaken or not to be done, an order for somebody else, and whatever is no ServiceRequest:
  nothing; no prescreen is made.

The worst finding, where HIGH, may call for a further test (:mod:`cds.hooks.follow_up`), unless one like it is
among the orders, selected or not, or was done since the film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from cds.ehr.datatypes import called, element, instance, local_reference, reference, string
from cds.ehr.imaging_procedure import Procedure, of_order
from cds.findings import Finding, Prescreen
from cds.hooks import cards
from cds.hooks.call import Answer, Call
from cds.hooks.cards import Statement, Suggestion
from cds.hooks.duplicates import Study, possible_duplicates, studies
from cds.hooks.follow_up import called_for
from cds.hooks.look import Look
from cds.hooks.telling import Telling
from cds.reporting import words

Order = dict[str, Any]

_NOT_ASKED_FOR = frozenset({"revoked", "entered-in-error"})
_MOST_ORDERS = 100
"""More than anybody signs at once; what goes beyond is not looked at."""
_LONGEST_NAME = 80


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
        ours = _asked_for(orders, call.patient)
        if not ours:
            return Answer([])
        overrides = self.telling.overrides(call)
        looked = self.look(call, _ordered_by_ct(ours))
        at_hand = OrdersAtHand(call, looked.prescreen, ours, studies(looked.chart.studies_at_hand()))
        given = self.telling(
            call,
            looked.prescreen,
            at_hand.findings(),
            overrides,
            suggestions=at_hand.suggestions,
            besides=[
                *at_hand.nothing_seen(),
                *at_hand.film_in_doubt(self.telling.link),
                *at_hand.duplicates(self.duplicate_window),
            ],
            also=looked.due,
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
        return [f for f in said if self._may_show(f.type.region) or cards.indicator(f) == "critical"]

    def nothing_seen(self) -> Iterator[Statement]:
        """That nothing could be looked at, where somebody is at fault and someone would have liked to know."""
        seen = {finding.type.region for finding in self.prescreen.findings}
        lacking = {missing.region for missing in self.prescreen.missing if missing.fault} - seen
        if any(map(self._may_show, lacking)):
            yield cards.of_nothing_seen(self.prescreen)

    def film_in_doubt(self, link: Callable[[Prescreen], Mapping[str, str]]) -> Iterator[Statement]:
        """That the film is in doubt, where no finding is worth a card that would say so."""
        film = self.prescreen.study
        if film and film.quality and not self.findings() and self._may_show("chest"):
            yield cards.of_film_in_doubt(self.prescreen, film, now=datetime.now(UTC), link=link(self.prescreen))

    def duplicates(self, window: timedelta) -> Iterator[Statement]:
        drafts = [order for order in self._all_orders() if _is_draft(order)]
        now = datetime.now(UTC)
        return possible_duplicates(self.orders, drafts, self.done, self.prescreen, window=window, now=now)

    def suggestions(self, worst: Finding) -> list[Suggestion]:
        return [*self._stat(worst), *self._follow_up(worst)]

    def _stat(self, worst: Finding) -> Iterator[Suggestion]:
        """One for all orders of the same name: of several that read alike nobody could choose."""
        if cards.indicator(worst) != "critical":
            return
        alike: dict[str, list[Order]] = {}
        for order in self.orders:
            procedure = of_order(order)
            can_wait = order.get("priority", "routine") == "routine"
            shown = procedure and procedure.regions and procedure.may_show(worst.type.region)
            # An update of what has no id is one of nothing.
            if shown and string(order, "id") and _is_draft(order) and can_wait:
                alike.setdefault(_name(order), []).append(order)
        for name, orders in alike.items():
            yield _make_stat(name, orders, worst)

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

    def _may_show(self, region: str) -> bool:
        """Whether imaging that is ordered may show that part of the body."""
        return any(procedure.may_show(region) for order in self.orders if (procedure := of_order(order)))

    def _all_orders(self) -> list[Order]:
        """The selected and the others."""
        return _asked_for(self.call.hook.context.draft_orders, self.call.patient)

    def _done_since_the_film(self) -> list[Procedure]:
        film = self.prescreen.study.started if self.prescreen.study else None
        return [study.procedure for study in self.done if film and study.started >= film]


def _name(order: Order) -> str:
    return words.one_line(called(element(order, "code")))[:_LONGEST_NAME] or "this order"


def _make_stat(name: str, orders: Sequence[Order], worst: Finding) -> Mapping[str, Any]:
    because = f"Priority stat, because {worst.type.display.lower()} is likely"
    several = f" ({len(orders)} orders)" if len(orders) > 1 else ""
    return {
        "label": f"Change to STAT: {name}{several}",
        "isRecommended": True,
        "actions": [
            {"type": "update", "description": because, "resource": {**order, "priority": "stat"}}
            for order in orders
        ],
    }


def _asked_for(orders: Iterable[Order], patient: str) -> list[Order]:
    """Those for ``Patient/{id}`` that are to be done, each once, however often a Bundle lists it."""
    ours = (order for order in orders if _is_asked_for(order) and not _is_anothers(order, patient))
    each = {local_reference(order) if string(order, "id") else id(order): order for order in ours}
    return list(islice(each.values(), _MOST_ORDERS))


def _is_asked_for(order: Order) -> bool:
    wanted = string(order, "status") not in _NOT_ASKED_FOR and order.get("doNotPerform") is not True
    return wanted and order.get("resourceType") == "ServiceRequest"


def _is_anothers(order: Order, patient: str) -> bool:
    """Whether its subject is somebody else; a server has many names, so that only the end of one counts."""
    return instance(reference(order, "subject")) not in ("", patient)


def _is_draft(order: Order) -> bool:
    return bool(order.get("status", "draft") == "draft")


def _ordered_by_ct(orders: Iterable[Order]) -> frozenset[str]:
    """The parts of the body that a CT is ordered of."""
    procedures = [procedure for order in orders if (procedure := of_order(order))]
    return frozenset(region for procedure in procedures if procedure.by_ct for region in procedure.regions)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
