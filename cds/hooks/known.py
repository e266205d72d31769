"""What is known of a patient already, from prescreens that were recorded before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cds.findings import Finding, Prescreen
from cds.hooks.call import Call
from cds.hooks.cards import Card
from cds.hooks.chart import fhir_base
from cds.hooks.telling import Telling
from cds.reporting.record import LOOKED_THROUGH


@dataclass(frozen=True, slots=True)
class KnownFindings:
    """Cards about what an earlier prescreen found; they suggest nothing, for no order is at hand."""

    telling: Telling

    def latest(self, call: Call) -> Prescreen | None:
        """What is known of the call's patient; ``None`` of a stranger."""
        tenant, base = call.client.tenant, fhir_base(call.client, call.hook)
        return _standing(self.telling.record.recent(tenant, base, call.patient, LOOKED_THROUGH))

    def told(self, call: Call, known: Prescreen | None, worth_a_card: Callable[[Finding], bool]) -> list[Card]:
        """At most one card, about those findings of :meth:`latest` that are ``worth_a_card``."""
        if known is None:
            return []
        outstanding = [finding for finding in known.findings if worth_a_card(finding)]
        if not outstanding:
            return []
        return self.telling(call, known, outstanding, self.telling.overrides(call))


def _standing(prescreens: Sequence[Prescreen]) -> Prescreen | None:
    """The latest that saw all there was to see, else the latest: a PACS that was away disproves nothing."""
    latest = prescreens[0] if prescreens else None
    return next((prescreen for prescreen in prescreens if _saw_everything(prescreen)), latest)


def _saw_everything(prescreen: Prescreen) -> bool:
    seen = {"image": prescreen.study is not None, "note": bool(prescreen.notes)}
    return all(seen[missing.part] or not missing.fault for missing in prescreen.missing)
