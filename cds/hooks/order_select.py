"""order-select 1.0: a clinician has selected orders, we answer with the cards of order-sign about just those."""

from __future__ import annotations

from dataclasses import dataclass

from cds.hooks.call import Answer, Call
from cds.hooks.context import local_name
from cds.hooks.order_advice import OrderAdvice


@dataclass(frozen=True, slots=True)
class OrderSelect:
    """The service ``imaging-order-select``."""

    advice: OrderAdvice

    def __call__(self, call: Call) -> Answer:
        context = call.hook.context
        return self.advice(call, [o for o in context.draft_orders if local_name(o) in context.selections])
