"""batch and transaction (FHIR R4, 3.1.0.11): a Bundle posted to the base URL."""

from __future__ import annotations

from flask import Response

from cds.sandbox.bundles import Rules
from cds.sandbox.fhir.authorization import permit
from cds.sandbox.fhir.representation import body, fhir_json
from cds.sandbox.fhir.validation import check
from cds.sandbox.parts import sandbox


def transaction() -> Response:
    """Carry out the Bundle within the token's scopes; a refused or invalid entry fails a whole transaction."""
    return fhir_json(sandbox().records.transaction(body(), Rules(permit, check)))
