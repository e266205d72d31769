"""The model versions in use: for each tenant a Device, its card, and the AuditEvent that it came into use."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cds.audit import balp, chain
from cds.audit.balp import Exchange, Party
from cds.findings import ModelVersion
from cds.reporting import codes
from cds.reporting.resources import device, device_id
from cds.store import resources as store
from cds.store.database import Database

Resource = dict[str, Any]


def publish(
    database: Database, us: Party, tenants: Iterable[str], models: Iterable[tuple[ModelVersion, Path]]
) -> None:
    """Write what a tenant does not hold yet of each model; a version that was there before changes nothing."""
    versions = [(model, directory / "card.md") for model, directory in models]
    for tenant in sorted(set(tenants)):
        with database.transaction(tenant) as connection:
            changes = []
            for model, card in versions:
                if store.put_new(connection, tenant, device(model)):
                    changes.append(balp.model_change(Exchange(us, us, us), model, f"Device/{device_id(model)}"))
                store.put_new(connection, tenant, model_card(model, card.read_text()))
            chain.append_many(connection, tenant, changes)


class ModelCards:
    """The cards of the versions that are, or were, in use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, tenant: str, model: ModelVersion) -> str | None:
        """The card in Markdown; none where the tenant holds none."""
        with self._database.transaction(tenant) as connection:
            held = store.get(connection, tenant, "DocumentReference", card_id(model))
        return base64.b64decode(held["content"][0]["attachment"]["data"]).decode() if held else None


def card_id(model: ModelVersion) -> str:
    """The id of the DocumentReference that :func:`model_card` makes."""
    return str(uuid.uuid5(uuid.UUID(device_id(model)), "card"))


def model_card(model: ModelVersion, markdown: str) -> Resource:
    """The card of a model version (AI Transparency, "AI Model-Card"), found by its Device."""
    return {
        "resourceType": "DocumentReference",
        "id": card_id(model),
        "meta": {"profile": [codes.PROFILES + "model-card"]},
        "identifier": [{"system": codes.MODEL_IDENTIFIER, "value": f"{model.digest}/card"}],
        "status": "current",
        "type": {"coding": [codes.MODEL_CARD]},
        "category": [{"coding": [codes.MARKDOWN_CARD]}],
        "subject": {"reference": f"Device/{device_id(model)}"},
        "date": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "description": f"Model card of {model.name} {model.version}",
        "content": [
            {
                "attachment": {
                    "contentType": "text/markdown",
                    "language": "en",
                    "data": base64.b64encode(markdown.encode()).decode(),
                    "title": f"{model.name} {model.version}",
                }
            }
        ],
    }
