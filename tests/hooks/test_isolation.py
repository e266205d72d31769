"""The hooks, as an EHR of another tenant: its feedback does not reach a card that is not its own."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import orjson
import pytest

from cds.hooks.discovery import IMAGING_PRESCREEN
from cds.store import cards
from cds.store.database import Database
from tests.hooks.conftest import PATH, Hooks

FEEDBACK = f"{PATH}/feedback"


@pytest.fixture
def card(database: Database, tenant: str) -> UUID:
    """One that was given to the first tenant."""
    uuid = uuid4()
    with database.transaction(tenant) as connection:
        cards.put(connection, tenant, uuid=uuid, service=IMAGING_PRESCREEN.id, topic="finding", body={"n": 1})
    return uuid


def told(card: UUID) -> bytes:
    entry = {"card": str(card), "outcome": "overridden", "outcomeTimestamp": "2026-11-22T09:30:10Z"}
    return orjson.dumps({"feedback": [entry]})


def test_a_card_of_another_tenant_is_not_there(
    hooks: Callable[..., Hooks], database: Database, tenant: str, card: UUID
) -> None:
    ehr = hooks(other_tenant=f"{tenant}-2")
    refused = ehr.call(ehr.other_issuer, path=FEEDBACK, body=told(card))
    assert refused.status_code == 404
    assert str(card) not in refused.get_data(as_text=True)
    for name in (tenant, f"{tenant}-2"):
        with database.transaction(name) as connection:
            assert cards.feedback_of(connection, name, card) == []
    assert ehr.call(path=FEEDBACK, body=told(card)).status_code == 200


def test_two_ehrs_of_one_tenant_share_its_cards(hooks: Callable[..., Hooks], card: UUID) -> None:
    ehr = hooks()
    assert ehr.call(ehr.other_issuer, path=FEEDBACK, body=told(card)).status_code == 200
