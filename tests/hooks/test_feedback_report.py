"""``cds feedback report``: what became of cards, by topic and model version (CDS Hooks 2.0, "Feedback")."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.hooks import feedback_report
from cds.store import cards
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from tests.master import MASTER_KEY

Cds = Callable[..., Result]
MODELS = ["chest-radiograph 1.0.0 (aaaaaaaa)"]
NEWER = ["chest-radiograph 1.1.0 (dddddddd)"]
NOW = datetime.now(UTC)


@pytest.fixture
def given(database: Database, tenant: str) -> Callable[..., uuid.UUID]:
    """Gives a card, and tells what became of it, oldest first."""

    def give(
        topic: str, *outcomes: str, models: list[str] = MODELS, clinician: str = "A", reason: Any = None
    ) -> uuid.UUID:
        card = uuid.uuid4()
        body = {"models": models, "clinician": f"https://ehr.example/fhir/Practitioner/{clinician}"}
        with database.transaction(tenant) as connection:
            cards.put(connection, tenant, uuid=card, service="s", topic=topic, body=body)
            for minute, outcome in enumerate(outcomes):
                told = {"outcome": outcome} | ({"overrideReason": reason} if reason else {})
                at = NOW + timedelta(minutes=minute)
                entry = {"card": card, "outcome": outcome, "outcome_timestamp": at}
                cards.feedback(connection, tenant, **entry, body=told)
        return card

    return give


@pytest.fixture
def cds(postgres: EmbeddedPostgres, valkey_url: str) -> Cds:
    def run(*arguments: str, **environment: str) -> Result:
        where = {"CDS_DATABASE_URL": postgres.app_url, "CDS_REDIS_URL": valkey_url, "CDS_MASTER_KEY": MASTER_KEY}
        return CliRunner().invoke(main, ["feedback", "report", *arguments], env=where | environment)

    return run


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    held: list[dict[str, Any]] = json.loads(result.stdout)
    return held


def test_counts_each_card_once_by_its_last_outcome(given: Callable[..., Any], cds: Cds, tenant: str) -> None:
    given("pneumothorax", "accepted", clinician="A")
    given("pneumothorax", "overridden", "accepted", clinician="B")
    given("pneumothorax", "overridden", clinician="B", reason={"reason": {"code": "disagree"}})
    given("pneumothorax", clinician="C")
    assert lines(cds(tenant, "--json")) == [
        {
            "tenant": tenant,
            "topic": "pneumothorax",
            "models": MODELS,
            "shown": 4,
            "accepted": 2,
            "overridden": 1,
            "ignored": 1,
            "reasons": {"disagree": 1},
            "clinicians": 3,
        }
    ]


def test_each_topic_and_model_version_by_itself(given: Callable[..., Any], cds: Cds, tenant: str) -> None:
    given("pneumothorax", "accepted")
    given("pneumothorax", "overridden", models=NEWER)
    given("effusion")
    held = lines(cds(tenant, "--json"))
    assert [(line["topic"], line["models"], line["accepted"]) for line in held] == [
        ("effusion", MODELS, 0),
        ("pneumothorax", MODELS, 1),
        ("pneumothorax", NEWER, 0),
    ]


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        ({"reason": {"code": "already-known"}}, "already-known"),
        ({"reason": {"code": "planned-follow-up"}}, "planned-follow-up"),
        ({"reason": {"code": "a code of the EHR's"}}, "other"),
        ({"reason": "odd"}, "other"),
        ({"userComment": "Mrs Wren said so"}, "other"),
        (None, "none given"),
    ],
)
def test_the_reasons_for_overriding(
    reason: Any, counted: str, given: Callable[..., Any], cds: Cds, tenant: str
) -> None:
    """Free text may hold patient data: it is counted and never shown."""
    given("effusion", "overridden", reason=reason)
    assert lines(cds(tenant, "--json"))[0]["reasons"] == {counted: 1}


def test_a_plain_aligned_table(given: Callable[..., Any], cds: Cds, tenant: str) -> None:
    given("pneumothorax", "accepted")
    given("duplicate-order", "overridden")
    shown = cds(tenant).stdout.splitlines()
    assert shown[0].split() == list(feedback_report._HEADER)
    assert len(shown) == 3
    columns = [line.index("chest-radiograph") for line in shown[1:]]
    assert columns == [shown[0].index("models")] * 2


def test_since_a_day(given: Callable[..., Any], cds: Cds, tenant: str) -> None:
    given("effusion")
    yesterday, tomorrow = ((NOW + timedelta(days=days)).strftime("%Y-%m-%d") for days in (-1, 1))
    assert len(lines(cds(tenant, "--since", yesterday, "--json"))) == 1
    assert lines(cds(tenant, "--since", tomorrow, "--json")) == []
    assert cds(tenant, "--since", tomorrow).stdout == "No cards were given.\n"


def test_of_every_registered_tenant_where_none_is_named(
    given: Callable[..., Any], cds: Cds, tenant: str, tmp_path: Path
) -> None:
    given("effusion")
    server = "https://ehr.example/fhir"
    entry = {"issuer": server, "tenant": tenant, "fhirServers": [server], "jwks": {"keys": [], "note": "none"}}
    registrations = tmp_path / "registrations.json"
    registrations.write_text(json.dumps([entry, entry | {"issuer": "https://two.example", "tenant": "nobody"}]))
    held = lines(cds("--json", CDS_REGISTRATIONS_FILE=str(registrations)))
    assert [line["tenant"] for line in held] == [tenant]


@pytest.mark.parametrize(
    ("arguments", "named"), [(["t", "--since", "yesterday"], "--since"), ([], "CDS_REGISTRATIONS_FILE")]
)
def test_a_refusal_is_one_sentence(arguments: list[str], named: str, cds: Cds) -> None:
    result = cds(*arguments, CDS_REGISTRATIONS_FILE="")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert named in result.stderr
