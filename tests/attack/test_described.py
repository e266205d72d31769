"""Schemathesis: what the OpenAPI description says is what the running service does."""

from __future__ import annotations

import pytest
import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection

from cds.hooks.discovery import IMAGING_PRESCREEN, SERVICES
from cds.hooks.openapi import openapi
from tests.attack.service import PUBLIC, Service

pytestmark = pytest.mark.timeout(300)

ANSWERED = ["2xx", "403", "404", "412"]
"""What a request as described may be answered with: the EHR behind it may still be unlisted, or lack the data."""
CONFIG = {
    "generation": {"deterministic": True, "max-examples": 5},
    "checks": {"positive_data_acceptance": {"expected-statuses": ANSWERED}},
    "operations": [
        {
            # That every selection names a draft order is more than a schema can say.
            "include-operation-id": "imaging-order-select",
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ANSWERED, "400"]}},
        }
    ],
}
OTHERS = [service.id for service in SERVICES.values() if service is not IMAGING_PRESCREEN]
# Feedback is one and the same for every service: once is enough.
DESCRIPTION = schemathesis.openapi.from_dict(
    openapi(SERVICES.values(), PUBLIC), config=schemathesis.Config.from_dict(CONFIG)
).exclude(operation_id=[f"{id}-feedback" for id in OTHERS])


@DESCRIPTION.parametrize()
def test_the_service_is_as_described(case: schemathesis.Case, service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.token(aud=PUBLIC + case.path)}"}
    # We tolerate more than we ask for: what the description does not allow may be answered all the same.
    case.call_and_validate(base_url=service.base_url, headers=headers, excluded_checks=[negative_data_rejection])
