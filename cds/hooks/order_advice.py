"""Advice on orders: what order-sign and order-select have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cds.hooks.call import Answer, Call
from cds.hooks.chart import Charts
from cds.hooks.telling import Telling
from cds.prescreen import Prescreening


@dataclass(frozen=True, slots=True)
class OrderAdvice:
    """Prescreens the patient on account of orders."""

    prescreen: Prescreening
    charts: Charts
    telling: Telling

    def __call__(self, call: Call, orders: Iterable[Mapping[str, Any]]) -> Answer:
        """The cards, at most one, about the service requests among ``orders``; none where there are none.

        Raises :class:`~cds.errors.RequestError` where no answer can be given.
        """
        ours = [order for order in orders if order.get("resourceType") == "ServiceRequest"]
        if not ours:
            return Answer([])
        subject, chart = self.charts.open(call)
        prescreen = self.prescreen(subject, chart, call.deadline, call.trail)
        return Answer(self.telling(call, prescreen, ours), prescreen.timings)
