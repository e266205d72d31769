"""``cds demo``, started as a person starts it: a process, its output, what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds.cli import main
from cds.settings import PACKAGE_ROOT
from tests.hospital import MODELS

# Each starts a dozen processes, which takes its time on a machine that has other work to do.
pytestmark = pytest.mark.timeout(300)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(home: Path, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    ours = {
        "CDS_DATA_DIR": str(home),
        "CDS_PORT": str(free_port()),
        "CDS_SANDBOX_PORT": str(free_port()),
        "CDS_MODELS_DIR": str(MODELS),
        "PYTHONPATH": str(PACKAGE_ROOT),
    }
    return inherited | ours | more


def demo(*options: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cds.cli", "demo", *options]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240, check=False)


def left_running(home: Path) -> list[str]:
    """The processes that still have the data directory in their command line or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(home).encode() in known:
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def check(happened: list[dict[str, Any]]) -> None:
    assert len(happened) >= 8
    for one in happened:
        assert one["problem"] is None
        assert one["scores"]
        assert one["report"]
        assert one["auditEvents"] > 0
        assert min(one["coldMs"], one["warmMs"]) > 0


def test_killed_in_the_middle_it_starts_again_with_its_data_and_the_job_is_done(used_home: Path) -> None:
    environ = environment(used_home)
    command = [sys.executable, "-m", "cds.cli", "demo"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "audit events" in line:
                break
        running.send_signal(signal.SIGKILL)
    due = time.monotonic() + 30
    while left_running(used_home) and time.monotonic() < due:
        time.sleep(0.2)
    assert left_running(used_home) == []
    again = demo("--once", "--json", str(used_home / "happened.json"), environ=environ)
    assert again.returncode == 0, again.stdout + again.stderr
    check(json.loads((used_home / "happened.json").read_text()))
    assert "every report is in the EHR's record" in again.stdout
    assert re.search(r"the archive holds [1-9]\d* structured reports and [1-9]\d* captures", again.stdout)
    assert left_running(used_home) == []


@pytest.mark.orthanc
def test_a_real_pacs_in_the_place_of_the_sandboxs(used_home: Path, orthanc: str) -> None:
    environ = environment(used_home, CDS_SANDBOX_PACS_URL=orthanc)
    done = demo("--once", "--json", str(used_home / "happened.json"), environ=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    happened = {one["patient"]: one for one in json.loads((used_home / "happened.json").read_text())}
    check(list(happened.values()))
    assert happened["pneumothorax"]["scores"]["pneumothorax"]["image"] is not None
    assert left_running(used_home) == []
    assert "sesame" not in done.stdout + (used_home / "registrations.json").read_text()


def refused(*options: str, environ: Mapping[str, str]) -> str:
    """What is said where nothing is started: it needs no process."""
    result = CliRunner().invoke(main, ["demo", *options], env=environ)
    assert result.exit_code == 2, result.exception
    return result.stderr


@pytest.mark.parametrize("setting", ["CDS_PORT", "CDS_SANDBOX_PORT"])
def test_a_taken_port_is_named(tmp_path: Path, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environ = environment(tmp_path, **{setting: str(taken.getsockname()[1])})
        assert setting in refused("--once", environ=environ)


def test_images_that_cannot_be_used_are_a_sentence(used_home: Path) -> None:
    done = demo("--once", "--images", "/nowhere", environ=environment(used_home))
    assert done.returncode == 2
    assert "not a directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_running(used_home) == []


def test_a_bundle_that_cannot_be_used_is_a_sentence(used_home: Path) -> None:
    assert "nowhere.json" in refused("--once", "--bundle", "/nowhere.json", environ=environment(used_home))
