"""The recall drill: every report of a model version is withdrawn, everywhere, once, and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from cds.audit.trail import OnBehalf, Trail, party
from cds.audit.verify import verify
from cds.cli import main
from cds.engine.bundles import Bundle
from cds.errors import ModelError, Unknown
from cds.findings import ModelVersion, Prescreen
from cds.models.activation import activate
from cds.models.withdrawal import Recall, known
from cds.reporting.record import Record, kept, reported
from cds.reporting.resources import device_id, report_id
from cds.settings import PACKAGE_ROOT, Settings
from cds.store import outbox, resources
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.withdrawn_models import SERVICE
from tests.master import MASTER_KEY
from tests.opened import events
from tests.prescreens import DEIDENTIFIER, FUSION, IMAGE_MODEL, NOTE_MODEL, prescreen

US = party("https://cds.example")
REASON = "It missed pneumothoraces on portable films."
Cds = Callable[..., Result]


@pytest.fixture
def bad() -> ModelVersion:
    """A version of its own: what is withdrawn in the service's name holds for every other test."""
    digest = uuid4().hex + uuid4().hex
    return replace(IMAGE_MODEL, version=f"1.0.{int(digest[:6], 16)}", digest=digest)


@pytest.fixture
def cds(postgres: EmbeddedPostgres, settings: Settings) -> Cds:
    running = replace(
        settings, database_url=postgres.app_url, redis_url="redis://127.0.0.1:1/0", master_key=MASTER_KEY
    )

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["models", "withdraw", *arguments], env=running.as_environment())

    return run


def made(database: Database, tenant: str, *models: ModelVersion) -> Prescreen:
    """A prescreen by these models, with its report."""
    id = str(uuid4())
    given = prescreen(tenant=tenant, id=id, key=id, models=models)
    trail = Trail(US, OnBehalf())
    Record(database).write(tenant, trail, kept(given, trail), reported(given, trail))
    return given


def held(database: Database, given: Prescreen, type: str = "DiagnosticReport") -> dict[str, Any] | None:
    id = report_id(given) if type == "DiagnosticReport" else device_id(given.models[0])
    with database.transaction(given.tenant) as connection:
        return resources.get(connection, given.tenant, type, id or "")


def status(database: Database, given: Prescreen, type: str = "DiagnosticReport") -> str:
    return str((held(database, given, type) or {}).get("status"))


def tasks(database: Database, tenant: str) -> list[tuple[str, str]]:
    """Status and description of what is in the queue."""
    with database.transaction(tenant) as connection:
        ids = connection.execute("SELECT id FROM resource WHERE type = 'Task'").fetchall()
        found = resources.get_many(connection, tenant, "Task", [id for (id,) in ids])
    return sorted((task["status"], task.get("description", "")) for task in found.values())


def recall(database: Database, tenant: str, version: str) -> Any:
    return Recall(database, US, REASON, "Dr Ada")(known(database, [tenant], version))


def test_every_report_of_the_version_is_withdrawn_and_no_other(
    cds: Cds, database: Database, tenant: str, bad: ModelVersion
) -> None:
    one, other = made(database, tenant, bad, NOTE_MODEL), made(database, f"{tenant}-2", bad)
    spared = made(database, tenant, IMAGE_MODEL, NOTE_MODEL)
    done = cds(f"{bad.name}@{bad.version}", "--reason", REASON, "--by", "Dr Ada", "--yes")
    assert (done.exit_code, set(done.output.splitlines())) == (
        0,
        {f"{tenant}\t1 reports", f"{tenant}-2\t1 reports", f"{SERVICE}\t0 reports"},
    )
    assert [status(database, each) for each in (one, other, spared)] == [
        "entered-in-error",
        "entered-in-error",
        "preliminary",
    ]
    assert status(database, one, "Device") == "inactive"
    assert status(database, spared, "Device") == "active"


@pytest.mark.parametrize("part", [DEIDENTIFIER, FUSION], ids=lambda model: model.kind)
def test_what_had_only_a_part_in_it_is_recalled_too(database: Database, tenant: str, part: ModelVersion) -> None:
    part = replace(part, digest=uuid4().hex + uuid4().hex)
    given = made(database, tenant, NOTE_MODEL, part)
    assert [outcome.withdrawn for outcome in recall(database, tenant, part.digest)] == [1]
    assert status(database, given) == "entered-in-error"


def test_the_queue_the_ehr_and_the_trail_are_told(database: Database, tenant: str, bad: ModelVersion) -> None:
    given = made(database, tenant, bad)
    (outcome,) = recall(database, tenant, bad.digest[:8])
    assert (outcome.withdrawn, outcome.left) == (1, 0)
    assert tasks(database, tenant) == [
        ("entered-in-error", ""),
        ("requested", f"The report was withdrawn: {REASON}"),
    ]
    with database.transaction(tenant) as connection:
        assert [letter.kind for letter in outbox.waiting(connection, tenant)] == [
            outbox.FHIR_RESULTS,
            outbox.FHIR_AMENDMENT,
            outbox.FHIR_AMENDMENT,
            outbox.DICOM_REJECTION,
        ]
        assert verify(connection, tenant).intact
        marked, updated = events(connection, tenant)[-2:]
    assert marked["entity"][0]["what"]["identifier"]["value"] == "model-withdrawn"
    assert f"sha256:{bad.digest}" in json.dumps(marked)
    assert report_id(given) in json.dumps(updated["entity"])
    assert all("Dr Ada" in json.dumps(event["agent"]) for event in (marked, updated))


def test_each_ehr_is_told_once_that_the_device_is_out_of_use(
    database: Database, tenant: str, bad: ModelVersion
) -> None:
    for _ in range(3):
        made(database, tenant, bad, NOTE_MODEL)
    list(recall(database, tenant, bad.digest))
    with database.transaction(tenant) as connection:
        claimed = (outbox.claim(connection, tenant, id) for id in outbox.due(connection, tenant))
        amended = [one.payload["entry"] for one in claimed if one and one.kind == outbox.FHIR_AMENDMENT]
    said = [entry["resource"] for entries in amended for entry in entries]
    (device,) = [resource for resource in said if resource["resourceType"] == "Device"]
    assert (device["status"], device["identifier"][0]["value"]) == ("inactive", bad.digest)


def test_a_dry_run_counts_and_changes_nothing(
    cds: Cds, database: Database, tenant: str, bad: ModelVersion
) -> None:
    given = made(database, tenant, bad)
    with database.transaction(tenant) as connection:
        before = len(events(connection, tenant))
    done = cds(bad.digest, "--reason", REASON, "--dry-run")
    assert (done.exit_code, done.output) == (0, f"{tenant}\t1 reports\n")
    assert status(database, given) == "preliminary"
    assert Record(database).stands(given)
    with database.transaction(tenant) as connection:
        assert len(events(connection, tenant)) == before


def test_without_a_yes_nothing_happens(cds: Cds, database: Database, tenant: str, bad: ModelVersion) -> None:
    given = made(database, tenant, bad)
    assert cds(bad.digest, "--reason", REASON).exit_code == 1
    assert status(database, given) == "preliminary"


def test_what_was_cut_short_goes_on_and_nothing_is_done_twice(
    database: Database, tenant: str, bad: ModelVersion
) -> None:
    first, second = made(database, tenant, bad), made(database, tenant, bad)
    cut_short = Recall(database, US, REASON, "Dr Ada")
    found = known(database, [tenant], bad.digest)
    cut_short._mark(tenant, found[tenant])  # killed before the first report
    assert [outcome.withdrawn for outcome in recall(database, tenant, bad.digest)] == [2]
    with database.transaction(tenant) as connection:
        before = len(events(connection, tenant))
    assert [outcome.withdrawn for outcome in recall(database, tenant, bad.digest)] == [0]
    with database.transaction(tenant) as connection:
        assert len(events(connection, tenant)) == before
    assert [(held(database, each) or {})["meta"]["versionId"] for each in (first, second)] == ["2", "2"]


def test_more_reports_than_fit_on_a_page(
    database: Database, tenant: str, bad: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cds.models import withdrawal

    monkeypatch.setattr(withdrawal, "PAGE", 2)
    for _ in range(5):
        made(database, tenant, bad)
    assert [outcome.withdrawn for outcome in recall(database, tenant, bad.digest)] == [5]


def test_one_tenant_alone(cds: Cds, database: Database, tenant: str, bad: ModelVersion) -> None:
    ours, theirs = made(database, tenant, bad), made(database, f"{tenant}-2", bad)
    assert cds(bad.digest, "--reason", REASON, "--tenant", tenant, "--yes").output == f"{tenant}\t1 reports\n"
    assert [status(database, each) for each in (ours, theirs)] == ["entered-in-error", "preliminary"]
    record = Record(database)
    assert (record.stands(ours), record.stands(theirs)) == (False, True)


def test_what_is_reported_late_is_not_reported(database: Database, tenant: str, bad: ModelVersion) -> None:
    """A report that was on its way to being made when its model was withdrawn."""
    made(database, tenant, bad)
    list(recall(database, tenant, bad.digest))
    late = made(database, tenant, bad)
    assert held(database, late) is None
    assert not Record(database).stands(late)


def test_a_prescreen_that_does_not_stand_is_not_the_latest(
    database: Database, tenant: str, bad: ModelVersion
) -> None:
    standing = made(database, tenant, NOTE_MODEL)
    withdrawn = made(database, tenant, bad)
    list(recall(database, tenant, bad.digest))
    latest = Record(database).latest(tenant, withdrawn.fhir_server, withdrawn.patient)
    assert latest is not None
    assert latest.id == standing.id


def test_a_withdrawn_model_looks_at_nothing_for_any_tenant(
    cds: Cds, database: Database, tenant: str, bad: ModelVersion
) -> None:
    made(database, tenant, bad)
    cds(bad.digest, "--reason", REASON, "--yes")
    stands = Record(database).stands
    stands.check("a tenant that came later", NOTE_MODEL)
    with pytest.raises(ModelError, match=f"{bad.version} was withdrawn"):
        stands.check("a tenant that came later", NOTE_MODEL, bad)


def test_it_cannot_be_activated_again(
    cds: Cds, database: Database, tenant: str, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    place = settings.models_dir / "recalled"
    shutil.copytree(PACKAGE_ROOT / "models" / "chest-radiograph", place)
    manifest = json.loads((place / "bundle.json").read_text())
    (place / "bundle.json").write_text(json.dumps(manifest | {"name": "recalled", "version": str(uuid4())}))
    bundle = Bundle.load(place)
    made(database, tenant, bundle.version)
    cds(bundle.version.digest, "--reason", REASON, "--tenant", tenant, "--yes")
    audited = replace(
        settings, database_url=postgres.app_url, redis_url="redis://127.0.0.1:1/0", master_key=MASTER_KEY
    )
    with pytest.raises(ModelError, match="recalled was withdrawn"):
        activate(audited, bundle, by="Dr Ada")
    assert not Path(settings.models_dir / "active.json").exists()


@pytest.mark.parametrize("version", ["chest-radiograph@0.0.0", "0123456789abcdef", "", "a", "zzzzzzzzzz"])
def test_a_version_that_nobody_has(cds: Cds, database: Database, tenant: str, version: str) -> None:
    made(database, tenant, IMAGE_MODEL)
    with pytest.raises(Unknown):
        known(database, [tenant], version)
    done = cds(version, "--reason", REASON, "--tenant", tenant, "--yes")
    assert (done.exit_code, "no tenant has results" in done.output) == (2, True)
