"""The store: versions, atomicity, and what is left after a kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cds.errors import Unknown
from cds.sandbox.query import parse
from cds.sandbox.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "records.sqlite")


def test_every_version_is_kept(records: Records) -> None:
    first = records.create({"resourceType": "Patient", "gender": "female"})
    second = records.update(first | {"gender": "other"})
    assert (first["meta"]["versionId"], second["meta"]["versionId"]) == ("1", "2")
    assert records.read("Patient", first["id"])["gender"] == "other"
    assert records.history_version("Patient", first["id"], "1")["gender"] == "female"


def test_what_was_never_kept_is_unknown(records: Records) -> None:
    with pytest.raises(Unknown):
        records.read("Patient", "nobody")


def test_an_update_is_found_by_what_it_says_now(records: Records) -> None:
    kept = records.create({"resourceType": "Task", "status": "requested"})
    records.update(kept | {"status": "completed"})
    assert records.search(parse("Task", "status=requested")).total == 0
    assert records.search(parse("Task", "status=completed")).total == 1


def test_all_or_nothing(records: Records) -> None:
    def create_and_fail() -> None:
        with records.atomically():
            records.create({"resourceType": "Patient"})
            raise KeyError

    with pytest.raises(KeyError):
        create_and_fail()
    assert records.search(parse("Patient", "")).total == 0


def test_threads_write_side_by_side(records: Records) -> None:
    def write() -> None:
        for _ in range(20):
            records.create({"resourceType": "Observation", "status": "final"})
        records.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert records.search(parse("Observation", "status=final")).total == 160


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from cds.sandbox.records import Records
records = Records(Path(sys.argv[1]))
while True:
    with records.atomically():
        for _ in range(2):
            records.create({"resourceType": "Patient"})
    print("kept", flush=True)
"""


def test_what_was_kept_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    writer = subprocess.Popen([sys.executable, "-c", _WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE)
    with writer:
        assert writer.stdout is not None
        for _ in range(10):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        kept = 10 + len(writer.stdout.readlines())
    total = Records(path).search(parse("Patient", "")).total
    assert total >= 2 * kept
    assert total % 2 == 0
