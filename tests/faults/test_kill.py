"""kill -9 of whoever writes, of the worker and of PostgreSQL, at random: nothing acknowledged is lost or doubled.

``FAULTS_PRESCREENS=500`` makes it as many; a run prints its seed, and ``FAULTS_SEED`` repeats it.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cds.audit.verify import verify
from cds.errors import Unreachable
from cds.findings import Level, Prescreen
from cds.imaging.derived import derived_uid
from cds.keys import Keys
from cds.reporting.resources import report_id
from cds.sandbox.app import create_app
from cds.sandbox.ehr.registration import registration
from cds.sandbox.parts import Sandbox
from cds.serving import environment
from cds.settings import Settings
from cds.store import outbox, resources
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.guard import SETTLED_S
from cds.store.embedded.postgres import APPLICATION
from cds.store.migrate import upgrade
from cds.store.sealing import Keyring
from tests.engines import engine_of
from tests.faults.writer import TENANT, numbered
from tests.films import FILM, SEEN
from tests.master import MASTER, MASTER_KEY
from tests.serving import listening

PRESCREENS = int(os.environ.get("FAULTS_PRESCREENS", "10"))
SEED = int(os.environ.get("FAULTS_SEED", str(random.SystemRandom().randrange(10**6))))
PAUSES_S = (0.1, 1.0)
"""Between one kill and the next."""
WORKED = 5
"""So many deliveries a worker makes before it is killed: else it would never come so far as to lose one."""
NOBODY = "redis://127.0.0.1:9/0"


@dataclass
class Hospital:
    """A PostgreSQL of its own, an EHR with its PACS, and the two processes that come and go."""

    settings: Settings
    postgres: EmbeddedPostgres
    database: Database
    sandbox: Sandbox
    acknowledged: list[str] = field(default_factory=list)
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    postgres_killed: float = -math.inf
    delivered_before: int = 0
    """When the worker that runs now was started."""

    @property
    def made(self) -> list[Prescreen]:
        return [numbered(n, self.sandbox.fhir_base, self.sandbox.pacs_root) for n in range(PRESCREENS)]

    @property
    def acknowledged_all(self) -> bool:
        return len(self.acknowledged) >= PRESCREENS

    @property
    def delivered(self) -> int:
        """Reports made, results brought to the EHR and to the PACS; what is away delivers nothing."""
        with suppress(Unreachable), self.database.transaction(TENANT) as connection:
            query = "SELECT count(*) FROM outbox WHERE delivered_at IS NOT NULL"
            ((count,),) = connection.execute(query).fetchall()
            return int(count)
        return self.delivered_before

    @property
    def done(self) -> bool:
        """A report, and results for the EHR and for the PACS, of each prescreen."""
        return self.delivered >= 3 * PRESCREENS

    def start_writer(self) -> None:
        """It goes on with what was not acknowledged, as an EHR would that got no answer."""
        first, end = str(len(self.acknowledged)), str(PRESCREENS)
        others = self.sandbox.fhir_base, self.sandbox.pacs_root
        command = ["tests.faults.writer", self.postgres.app_url, *others, first, end]
        process = subprocess.Popen(
            [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.processes["writer"] = process
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            self.acknowledged.extend(line.strip() for line in lines if line.endswith("\n"))

    def start_worker(self) -> None:
        """No worker runs: what the last one held is let go, which otherwise a lease would hold for minutes."""
        with suppress(Unreachable), self.database.transaction(TENANT) as connection:
            outbox.hurry(connection, TENANT)
        self.delivered_before = self.delivered
        self.processes["worker"] = subprocess.Popen(
            [sys.executable, "-m", "cds.cli", "worker"],
            env=environment(self.settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    @property
    def victims(self) -> list[str]:
        """Who may be killed next.

        A PostgreSQL that dies again and again before it has settled is given up by its guard.
        """
        settled = time.monotonic() - self.postgres_killed > 1.5 * SETTLED_S
        worked = self.delivered >= self.delivered_before + WORKED
        eligible = {"writer": not self.acknowledged_all, "worker": worked, "postgres": settled and worked}
        return [victim for victim, fit in eligible.items() if fit]

    def kill(self, victim: str) -> None:
        if victim == "postgres":
            self.postgres_killed = time.monotonic()
            pid_file = self.settings.data_dir / "postgres" / "postmaster.pid"
            # Where it fell a moment ago, its file may be there still, or not yet again.
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
            return
        process = self.processes[victim]
        process.kill()
        process.wait()
        {"writer": self.start_writer, "worker": self.start_worker}[victim]()


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with EmbeddedPostgres(tmp_path) as postgres, listening() as ehr, listening() as service:
        upgrade(postgres.admin_url, APPLICATION, MASTER)
        ehr.app = create_app(tmp_path / "sandbox", ehr.base_url, service_url=service.base_url)
        sandbox: Sandbox = ehr.app.extensions["sandbox"]
        sandbox.pacs.store([FILM])
        registrations = tmp_path / "registrations.json"
        registrations.write_text(json.dumps([asking(registration(sandbox))]))
        settings = Settings(
            data_dir=tmp_path,
            database_url=postgres.app_url,
            redis_url=NOBODY,
            registrations_file=registrations,
            master_key=MASTER_KEY,
        )
        database = Database(postgres.app_url, Keyring(MASTER))
        running = Hospital(settings, postgres, database, sandbox)
        service.app = publishing(Keys.load(settings))
        sandbox.records.update({"resourceType": "Patient", "id": "p1"})
        with engine_of(settings):
            yield running
        for process in running.processes.values():
            process.kill()
            process.wait()
        database.close()


@pytest.mark.timeout(600 + 12 * PRESCREENS)
def test_what_was_acknowledged_is_there_once_and_reaches_ehr_and_pacs_once(hospital: Hospital) -> None:
    print(f"FAULTS_SEED={SEED}")
    chance = random.Random(SEED)
    killed: Counter[str] = Counter()
    hospital.start_worker()
    hospital.start_writer()
    until(lambda: bool(hospital.acknowledged), 120)
    while not hospital.done:
        time.sleep(chance.uniform(*PAUSES_S))
        if victims := hospital.victims:
            victim = chance.choice(victims)
            hospital.kill(victim)
            killed[victim] += 1
        if not hospital.acknowledged_all:
            so_far = len(hospital.acknowledged)
            until(lambda: len(hospital.acknowledged) > so_far, 120)  # noqa: B023
    print(f"killed: {dict(killed)}")
    assert killed.total() >= 2
    # Whatever fell before: the worker that runs now must outlive its database.
    hospital.kill("postgres")
    until(lambda: recovered(hospital.database), 180)

    made = hospital.made
    ids = Counter(prescreen.id for prescreen in made)
    assert set(hospital.acknowledged) == set(ids)
    assert Counter(identifier(report) for report in reports(hospital.sandbox)) == ids
    assert in_the_pacs(hospital.sandbox) == Counter(uid for prescreen in made for uid in results(prescreen))
    with hospital.database.transaction(TENANT) as connection:
        assert connection.execute("SELECT count(*) FROM prescreen").fetchone() == (PRESCREENS,)
        for prescreen in made:
            history = resources.history(connection, TENANT, "DiagnosticReport", report_id(prescreen) or "")
            assert len(history) == 1
        assert verify(connection, TENANT).intact


def asking(entry: dict[str, Any]) -> dict[str, Any]:
    """The registration, its PACS asking for all that we can give."""
    return entry | {"pacs": [pacs | {"results": ["SR", "SC"]} for pacs in entry["pacs"]]}


def in_the_pacs(sandbox: Sandbox) -> Counter[str]:
    """Every instance beside the film."""
    return Counter(held.instance for held in sandbox.archive.find() if held.instance != SEEN.instance_uid)


def results(prescreen: Prescreen) -> list[str]:
    """What the PACS is to hold of a prescreen: a report, and a capture of each finding to be looked at."""
    shown = [finding.key for finding in prescreen.findings if finding.level is not Level.LOW]
    return [derived_uid(prescreen, "SR"), *(derived_uid(prescreen, f"SC/{key}") for key in shown)]


def publishing(keys: Keys) -> Flask:
    """The one route of the service that the EHR calls: our public keys."""
    app = Flask("keys")
    app.add_url_rule("/.well-known/jwks.json", view_func=lambda: keys.signing.published(time.time()))
    return app


def reports(sandbox: Sandbox) -> list[dict[str, Any]]:
    found = sandbox.records._database.connection.execute(
        "SELECT body FROM resource WHERE type = 'DiagnosticReport'"
    )
    return [json.loads(body) for (body,) in found]


def recovered(database: Database) -> bool:
    """Whether nothing waits any more."""
    try:
        with database.transaction(TENANT) as connection:
            return outbox.undelivered(connection, TENANT) == 0
    except Unreachable:
        return False


def until(true: Callable[[], bool], within_s: float) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def identifier(report: dict[str, Any]) -> str:
    return str(report["identifier"][0]["value"])
