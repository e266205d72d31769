"""The sandbox as a process: one address, one message where the port is taken, nothing left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cds.errors import ConfigurationError
from cds.sandbox.keys import SandboxKeys


def start(home: Path, port: int = 0) -> subprocess.Popen[str]:
    environment = {**os.environ, "CDS_DATA_DIR": str(home), "CDS_SANDBOX_PORT": str(port)}
    return subprocess.Popen(
        [sys.executable, "-m", "cds.sandbox"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().split()[-1]


def is_silent(url: str) -> bool:
    """Whether nobody listens any more, given ten seconds to fall silent."""
    for _ in range(100):
        try:
            httpx.get(f"{url}/fhir/metadata", timeout=1)
        except httpx.TransportError:
            return True
        time.sleep(0.1)
    return False


def test_it_serves_and_stops(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        url = address(process)
        with httpx.Client(timeout=10) as client:
            assert client.get(f"{url}/fhir/metadata").json()["implementation"]["url"] == f"{url}/fhir"
            assert client.get(f"{url}/dicom-web/studies").status_code == 401
        second = start(tmp_path, port=int(url.rpartition(":")[2]))
        _, complaint = second.communicate(timeout=20)
        assert second.returncode == 1
        assert complaint.count("\n") == 1
        assert "CDS_SANDBOX_PORT" in complaint
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert is_silent(url)


def test_killed_it_leaves_no_worker(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        url = address(process)
        assert httpx.get(f"{url}/fhir/metadata", timeout=10).status_code == 200
        process.kill()
    assert is_silent(url)


def test_its_keys_are_made_once_and_for_its_own_eyes(tmp_path: Path) -> None:
    first, second = SandboxKeys.load(tmp_path), SandboxKeys.load(tmp_path)
    assert first.token.as_dict(private=True) == second.token.as_dict(private=True)
    assert first.token.kid != first.cds_client.kid
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_keys_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"keys\.json"):
        SandboxKeys.load(tmp_path)
