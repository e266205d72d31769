"""The audit trail reaches a repository elsewhere: whole, in its order, and never lost while that is away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from cds.audit import balp, chain
from cds.audit.balp import Exchange
from cds.audit.trail import party
from cds.cli import main
from cds.errors import ConfigurationError
from cds.registration import Registration, Registrations
from cds.settings import Settings
from cds.store import audit_feed
from cds.store.audit_feed import Feed
from cds.store.database import Database
from cds.worker import audit_feed as forwarding
from cds.worker.audit_feed import AuditFeed
from cds.worker.audit_repository import opened
from tests.master import MASTER_KEY
from tests.tls import Certificates
from tests.worker.conftest import BASE, REGISTRATION
from tests.worker.repository import TOKEN, Repository, serving

US = party("https://cds.example")
NOBODY = Registrations(())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.made(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def repository(certificates: Certificates) -> Iterator[Repository]:
    with serving(certificates) as repository:
        yield repository


@pytest.fixture
def settings(repository: Repository, certificates: Certificates, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        audit_repository_url=repository.url,
        audit_repository_token=TOKEN,
        audit_repository_certificate=certificates.client,
        audit_repository_ca=certificates.authority,
    )


@pytest.fixture
def feed(database: Database, settings: Settings) -> Iterator[AuditFeed]:
    with opened(settings, NOBODY) as repositories:
        yield AuditFeed(database, repositories)


def audited(database: Database, tenant: str, count: int) -> list[str]:
    """So many events more; their ids in the order of the chain."""
    events = [balp.read(Exchange(US, US, US), f"Device/{n}") for n in range(count)]
    with database.transaction(tenant) as connection:
        return [str(id) for id in chain.append_many(connection, tenant, events)]


def state(database: Database, tenant: str) -> Feed:
    with database.transaction(tenant) as connection:
        (feed,) = audit_feed.feeds(connection, tenant)
    return feed


def due(database: Database, tenant: str) -> None:
    """As if the pause, or the lease of a worker that died, were over."""
    with database.transaction(tenant) as connection:
        connection.execute("UPDATE audit_feed SET next_attempt_at = now()")


def forwarded(feed: AuditFeed, tenant: str) -> None:
    while feed.forward(tenant):
        pass


def test_the_whole_trail_arrives_in_its_order(
    feed: AuditFeed, repository: Repository, database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "BATCH", 10)
    ids = audited(database, tenant, 25)
    forwarded(feed, tenant)
    assert (list(repository.held), repository.batches) == (ids, 3)
    assert state(database, tenant).waiting == 0
    more = audited(database, tenant, 2)
    forwarded(feed, tenant)
    assert list(repository.held) == ids + more


def test_an_event_arrives_as_it_was_written(
    feed: AuditFeed, repository: Repository, database: Database, tenant: str
) -> None:
    event = balp.patient_query(Exchange(US, US, US), "Patient/1", "GET X?name=\ud800")
    event["outcomeDesc"] = "a lone surrogate: \ud800"
    with database.transaction(tenant) as connection:
        chain.append(connection, tenant, event)
    forwarded(feed, tenant)
    (taken,) = repository.held.values()
    assert taken.pop("meta")["profile"] == event["meta"]["profile"]
    assert taken == {name: value for name, value in event.items() if name not in ("id", "meta")}


def test_every_tenant_has_its_turn(
    feed: AuditFeed, repository: Repository, database: Database, tenant: str
) -> None:
    ids = {*audited(database, tenant, 3), *audited(database, f"{tenant}-2", 3)}
    feed()
    assert ids <= set(repository.held)


def registered(tenant: str, url: str, issuer: str = BASE) -> Registration:
    own = {"url": url, "tokenVariable": "TEST_ARR_TOKEN"}
    return Registration.from_json(REGISTRATION | {"issuer": issuer, "tenant": tenant, "auditRepository": own})


def test_a_tenant_with_a_repository_of_its_own_is_forwarded_there_alone(
    repository: Repository,
    certificates: Certificates,
    settings: Settings,
    database: Database,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_ARR_TOKEN", TOKEN)
    own, others = audited(database, tenant, 3), audited(database, f"{tenant}-2", 3)
    with serving(certificates) as tenants:
        with opened(settings, Registrations([registered(tenant, tenants.url)])) as repositories:
            forwarded(AuditFeed(database, repositories), tenant)
            forwarded(AuditFeed(database, repositories), f"{tenant}-2")
        assert (list(tenants.held), list(repository.held)) == (own, others)
        assert state(database, tenant).repository == tenants.url


def test_without_an_operators_repository_the_others_are_forwarded_nowhere(
    settings: Settings, database: Database, tenant: str
) -> None:
    audited(database, tenant, 1)
    with opened(replace(settings, audit_repository_url=""), NOBODY) as repositories:
        assert not AuditFeed(database, repositories).forward(tenant)


def test_what_no_registration_can_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_ARR_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="https"):
        registered("general", "http://arr.example/fhir")
    one, other = (registered("general", f"https://{n}.example/fhir", issuer=f"https://{n}.example") for n in "ab")
    with pytest.raises(ConfigurationError, match="different audit repositories"):
        Registrations([one, other])
    with pytest.raises(ConfigurationError, match="TEST_ARR_TOKEN"):
        Registrations([one]).audit_repositories["general"].token()


class TestTrouble:
    def test_while_it_is_away_the_backlog_shows_and_nothing_is_lost(
        self, feed: AuditFeed, repository: Repository, database: Database, tenant: str
    ) -> None:
        ids = audited(database, tenant, 3)
        repository.away = True
        assert not feed.forward(tenant)
        held = state(database, tenant)
        assert (held.waiting, held.attempts, held.last_error) == (3, 1, "an audit batch was answered 503")
        repository.away = False
        assert not feed.forward(tenant)  # not before its pause is over
        due(database, tenant)
        forwarded(feed, tenant)
        assert list(repository.held) == ids
        held = state(database, tenant)
        assert (held.waiting, held.attempts, held.last_error) == (0, 0, None)

    def test_what_was_taken_without_an_answer_is_not_held_twice(
        self, feed: AuditFeed, repository: Repository, database: Database, tenant: str
    ) -> None:
        ids = audited(database, tenant, 3)
        repository.silent = True
        assert not feed.forward(tenant)
        repository.silent = False
        due(database, tenant)
        forwarded(feed, tenant)
        assert (list(repository.held), repository.batches) == (ids, 2)

    def test_what_it_refuses_holds_up_what_comes_after_and_is_named(
        self, feed: AuditFeed, repository: Repository, database: Database, tenant: str
    ) -> None:
        ids = audited(database, tenant, 5)
        repository.refuses = ids[2]
        forwarded(feed, tenant)
        assert list(repository.held)[:2] == ids[:2]
        held = state(database, tenant)
        assert (held.waiting, held.last_error) == (3, "the next event was answered 422")

    def test_a_worker_that_dies_with_a_batch_delays_it_and_loses_nothing(
        self, feed: AuditFeed, repository: Repository, database: Database, tenant: str
    ) -> None:
        ids = audited(database, tenant, 2)
        with database.transaction(tenant) as connection:
            assert audit_feed.claim(connection, tenant, repository.url) == 0
        assert not feed.forward(tenant)
        due(database, tenant)
        forwarded(feed, tenant)
        assert list(repository.held) == ids

    def test_many_workers_keep_to_the_order(
        self,
        feed: AuditFeed,
        repository: Repository,
        database: Database,
        tenant: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(forwarding, "BATCH", 3)
        ids = audited(database, tenant, 30)
        with ThreadPoolExecutor(4) as workers:
            for _ in range(4):
                workers.submit(forwarded, feed, tenant)
        forwarded(feed, tenant)
        assert (list(repository.held), repository.batches) == (ids, 10)


class TestWhoIsSpokenTo:
    def test_without_our_certificate_there_is_no_connection(
        self, settings: Settings, repository: Repository, database: Database, tenant: str
    ) -> None:
        audited(database, tenant, 1)
        with opened(replace(settings, audit_repository_certificate=None), NOBODY) as stranger:
            assert not AuditFeed(database, stranger).forward(tenant)
        assert repository.held == {}

    def test_nor_to_whom_no_authority_of_ours_has_signed(
        self, settings: Settings, repository: Repository, database: Database, tenant: str
    ) -> None:
        audited(database, tenant, 1)
        with opened(replace(settings, audit_repository_ca=None), NOBODY) as stranger:
            assert not AuditFeed(database, stranger).forward(tenant)
        assert repository.batches == 0

    def test_the_token_is_not_in_what_is_said_of_a_failure(
        self, settings: Settings, database: Database, tenant: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        audited(database, tenant, 1)
        with opened(replace(settings, audit_repository_token="another-token"), NOBODY) as repositories:
            assert not AuditFeed(database, repositories).forward(tenant)
            assert "another-token" not in repr(repositories)
        assert state(database, tenant).last_error == "an audit batch was answered 401"
        assert "another-token" not in caplog.text

    @pytest.mark.parametrize(
        "changes",
        [
            {"audit_repository_url": "http://arr.example/fhir"},
            {"audit_repository_ca": Path("/nowhere.pem")},
            {"audit_repository_certificate": Path(__file__)},
        ],
    )
    def test_settings_that_cannot_be_meant(self, changes: dict[str, object], settings: Settings) -> None:
        wrong: Settings = replace(settings, **changes)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="CDS_AUDIT_REPOSITORY"), opened(wrong, NOBODY):
            pass


def test_an_operator_sees_the_backlog(
    feed: AuditFeed, repository: Repository, database: Database, tenant: str, database_url: str, tmp_path: Path
) -> None:
    audited(database, tenant, 3)
    repository.away = True
    feed.forward(tenant)
    environment = {
        "CDS_DATA_DIR": str(tmp_path / str(uuid4())),
        "CDS_DATABASE_URL": database_url,
        "CDS_REDIS_URL": "redis://127.0.0.1:9/0",
        "CDS_MASTER_KEY": MASTER_KEY,
    }
    shown = CliRunner().invoke(main, ["audit", "feed", tenant], env=environment).output
    said = f"{tenant}\t{repository.url}\t3 waiting\tlast never\t1 tries\tan audit batch was answered 503\n"
    assert shown == said
