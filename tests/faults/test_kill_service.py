"""kill -9 of the deployed service's processes, at random, while orders are signed: each is reported once.

Of all that has a part in it: gunicorn's master and workers, the engine's processes, the worker, PostgreSQL. An
answer for which a part was late counts too: what was late is finished. ``FAULTS_ORDERS=100`` makes it as many.
"""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.hospital import TENANT, Hospital, hospital
from cds.audit.verify import verify
from cds.errors import Unreachable
from cds.findings import PRESCREEN_IDENTIFIER
from cds.serving import start_web, start_worker, wait_for_web
from cds.store import outbox
from cds.store.embedded.guard import SETTLED_S
from tests.faults.test_kill import SEED, recovered, reports, until

ORDERS = int(os.environ.get("FAULTS_ORDERS", "4"))
SIGNING_S = 1.0
"""Between one order and the next."""
PAUSES_S = (0.1, 1.0)
"""Between one kill and the next."""
ANSWER_S = 30.0
RECOVERED_S = 240.0


@dataclass
class Clinic:
    """Signs orders of newcomers, and again where there was no answer, as an EHR does."""

    hospital: Hospital
    answered: dict[str, int] = field(default_factory=dict)
    """How many tries it took, by patient."""
    closed: bool = False

    def sign(self, count: int) -> None:
        known = [one for one in self.hospital.patients if one.fault is None and one.study_uid]
        for number in range(count):
            patient = self.hospital.newcomer(known[number % len(known)])
            body = self.hospital.order_signed(patient)
            tries = 1
            while not (self.closed or self._is_answered(body)):
                tries += 1
                time.sleep(0.2)
            self.answered[patient.id] = tries
            time.sleep(SIGNING_S)

    def _is_answered(self, body: dict[str, Any]) -> bool:
        call = self.hospital.call(body)
        try:
            answer = httpx.post(
                self.hospital.service_url + call.path, headers=call.headers, content=call.body, timeout=ANSWER_S
            )
        except httpx.HTTPError:
            return False
        assert answer.status_code in (200, 401, 429, 503), answer.text
        return answer.status_code == 200


@dataclass
class Killer:
    """Ends one process of the service at a time, and starts anew what nothing else would."""

    hospital: Hospital
    killed: Counter[str] = field(default_factory=Counter)
    postgres_killed: float = -math.inf

    def kill(self, chance: random.Random) -> None:
        victims = {"master": self.master, "web": self.web, "engine": self.engine, "worker": self.worker}
        # A PostgreSQL that dies again and again before it has settled is given up by its guard.
        if time.monotonic() - self.postgres_killed > 1.5 * SETTLED_S:
            victims["postgres"] = self.postgres
        victim = chance.choice(sorted(victims))
        victims[victim]()
        self.killed[victim] += 1

    def master(self) -> None:
        """Whose workers and engine end with it; a service manager starts it again."""
        self.hospital.processes.kill("web")
        self.hospital.web = start_web(self.hospital.processes, self.hospital.settings)

    def web(self) -> None:
        """The master starts another."""
        kill_one(pid for pid in children(self.hospital.web.popen.pid) if "gunicorn" in command(pid))

    def engine(self) -> None:
        """The supervisor forks another."""
        supervisors = [pid for pid in children(self.hospital.web.popen.pid) if "engine" in command(pid)]
        kill_one(pid for supervisor in supervisors for pid in children(supervisor))

    def worker(self) -> None:
        """What it held is let go, which otherwise a lease would hold for minutes."""
        self.hospital.processes.kill("worker")
        with suppress(Unreachable), self.hospital.database.transaction(TENANT) as connection:
            outbox.hurry(connection, TENANT)
        start_worker(self.hospital.processes, self.hospital.settings)

    def postgres(self) -> None:
        self.postgres_killed = time.monotonic()
        with suppress(FileNotFoundError):
            pid_file = self.hospital.settings.data_dir / "postgres" / "postmaster.pid"
            kill_one([int(pid_file.read_text().split()[0])])


@pytest.mark.timeout(900 + 30 * ORDERS)
def test_every_order_that_was_answered_is_reported_once(used_home: Path) -> None:
    print(f"FAULTS_SEED={SEED}")
    chance = random.Random(SEED)
    with hospital(used_home) as everyone, ThreadPoolExecutor(1) as ehr:
        clinic, killer = Clinic(everyone), Killer(everyone)
        signing = ehr.submit(clinic.sign, ORDERS)
        # What is started by a thread ends with it: the killing is this one's.
        try:
            while not signing.done():
                time.sleep(chance.uniform(*PAUSES_S))
                killer.kill(chance)
                so_far = len(clinic.answered)
                until(lambda: signing.done() or len(clinic.answered) > so_far, RECOVERED_S)  # noqa: B023
        finally:
            clinic.closed = True
        signing.result()
        print(f"killed: {dict(killer.killed)}; tries: {sum(clinic.answered.values())}")
        wait_for_web(everyone.processes, everyone.web, everyone.settings)
        killer.worker()
        until(lambda: recovered(everyone.database), RECOVERED_S)

        assert len(clinic.answered) == ORDERS
        assert killer.killed.total() >= 2
        assert Counter(reported(everyone)) == Counter(clinic.answered.keys())
        with everyone.database.transaction(TENANT) as connection:
            assert verify(connection, TENANT).intact


def reported(everyone: Hospital) -> Iterator[str]:
    """The patients of our reports in the EHR, each as often as there is one."""
    for report in reports(everyone.sandbox):
        if any(one.get("system") == PRESCREEN_IDENTIFIER for one in report.get("identifier", ())):
            yield report["subject"]["reference"].removeprefix("Patient/")


def children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def kill_one(pids: Iterable[int]) -> None:
    """The first of them, where there is one and it has not ended by itself."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return
