"""What the service is measured against: programs that give the same card and do no work for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.hospital import Hospital, free_ports
from cds.serving import GUNICORN, answers, environment, python
from cds.settings import PACKAGE_ROOT

HEALTHCHAIN = "HealthChain 0.16.1"
FLASK = "bare Flask route"

_PINNED = "healthchain==0.16.1"
_INSTALL_S = 240
_START_S = 60


@dataclass(frozen=True, slots=True)
class Peer:
    """A service that answers the hook."""

    name: str
    base_url: str


def installed(venv: Path) -> Path | None:
    """An environment that holds HealthChain alone, made if it is not there; None where it cannot be had."""
    interpreter = venv / "bin" / "python"
    try:
        if not interpreter.exists():
            _run(sys.executable, "-m", "venv", str(venv))
            _run(str(interpreter), "-m", "pip", "install", "--quiet", _PINNED)
        _run(str(interpreter), "-c", "import healthchain.gateway")
    except (OSError, subprocess.SubprocessError):
        return None
    return venv


def flask_route(beside: Hospital, card: Mapping[str, Any]) -> Peer:
    """:mod:`bench.peers.flask_route` under the gunicorn settings of the service."""
    (port,) = free_ports(1)
    environ = {**environment(beside.settings), "CDS_PORT": str(port)}
    return _started(beside, FLASK, python(*GUNICORN[:-1], "bench.peers.flask_route:app"), environ, card, port)


def healthchain(beside: Hospital, card: Mapping[str, Any], venv: Path) -> Peer:
    """:mod:`bench.peers.healthchain_service` under uvicorn, with nothing of ours in its environment."""
    (port,) = free_ports(1)
    uvicorn = [str(venv / "bin" / "python"), "-m", "uvicorn", "healthchain_service:app", "--no-access-log"]
    where = ["--app-dir", str(PACKAGE_ROOT / "bench" / "peers"), "--port", str(port)]
    environ = {"PATH": os.environ.get("PATH", "")}
    return _started(beside, HEALTHCHAIN, [*uvicorn, *where], environ, card, port, prefix="/cds")


def _started(
    beside: Hospital,
    name: str,
    argv: Sequence[str],
    environ: Mapping[str, str],
    card: Mapping[str, Any],
    port: int,
    prefix: str = "",
) -> Peer:
    """Running, and answering at ``/health``."""
    kept = beside.settings.data_dir / "card.json"
    kept.write_bytes(orjson.dumps(card))
    process = beside.processes.start(name.partition(" ")[0], argv, {**environ, "BENCH_CARD": str(kept)})
    base_url = f"http://127.0.0.1:{port}"
    beside.processes.wait(process, lambda: answers(f"{base_url}/health"), _START_S)
    return Peer(name, base_url + prefix)


def _run(*argv: str) -> None:
    subprocess.run(  # noqa: S603 (our own commands only)
        argv,
        check=True,
        timeout=_INSTALL_S,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
