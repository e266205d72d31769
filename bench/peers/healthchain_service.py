"""A HealthChain service, as its guide has it, that answers every hook with the card in the file ``BENCH_CARD``.

Runs in HealthChain's own environment: it imports nothing of ours.
"""

# mypy: disable-error-code="import-not-found,untyped-decorator"

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import CDSRequest, CDSResponse


def _card() -> dict[str, Any]:
    """HealthChain refuses a link without ``autoLaunchable``, which CDS Hooks 2.0 has not got."""
    card: dict[str, Any] = json.loads(Path(os.environ["BENCH_CARD"]).read_text())
    return {**card, "links": [{**link, "autoLaunchable": False} for link in card.get("links", [])]}


CARD = _card()

service = CDSHooksService()


@service.hook("order-sign", id="imaging-prescreen")
def call(request: CDSRequest) -> CDSResponse:
    return CDSResponse(cards=[CARD])


app = HealthChainAPI()
app.register_service(service)
