"""order-sign 1.0: an EHR is about to sign orders, we answer with cards about all of them."""

from __future__ import annotations

from dataclasses import dataclass

from cds.hooks.call import Answer, Call
from cds.hooks.order_advice import OrderAdvice


@dataclass(frozen=True, slots=True)
class OrderSign:
    """The service ``imaging-prescreen``."""

    advice: OrderAdvice

    def __call__(self, call: Call) -> Answer:
        return self.advice(call, call.hook.context.draft_orders)
