"""Ray Serve and MLServer with our models, each run by a Python of its own, on loopback and for as long as needed.

The Pythons are named by ``RAY_PYTHON`` and ``MLSERVER_PYTHON``; docs/remote-engine.md says what they need.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cds.processes import Processes
from cds.settings import PACKAGE_ROOT

DEPLOY = PACKAGE_ROOT / "deploy"
STARTING_S = 180.0


@dataclass(frozen=True, slots=True)
class Started:
    """Where it answers, and the processes whose death it is to survive."""

    url: str
    nodes: tuple[int, ...] = ()


def python_of(variable: str) -> str | None:
    """The Python that the environment names, where it is there."""
    path = os.environ.get(variable, "")
    return path if path and Path(path).is_file() else None


@contextmanager
def ray_serve(python: str, home: Path, port: int, models_dir: Path, nodes: int = 2) -> Iterator[Started]:
    """A head and ``nodes`` that score, each a Ray node of its own with one replica."""
    # Ray's word for "on loopback", whatever the system.
    environ = _environment(DEPLOY / "ray") | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    script = PACKAGE_ROOT / "bench" / "peers" / "ray_nodes.py"
    with (
        (home / "ray.log").open("w") as log,
        subprocess.Popen(  # noqa: S603 (our own script)
            [python, str(script), str(port), str(models_dir), str(nodes)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, f"Ray Serve did not start; see {log.name}"
        yield Started(f"http://127.0.0.1:{port}", tuple(json.loads(said)["nodes"]))


@contextmanager
def mlserver(python: str, home: Path, port: int, models_dir: Path) -> Iterator[Started]:
    """One MLServer with every bundle of ``models_dir``."""
    environ = _environment(DEPLOY / "mlserver")
    script, served = DEPLOY / "mlserver" / "write_settings.py", home / "mlserver"
    subprocess.run([python, script, models_dir, served], env=environ, check=True)  # noqa: S603 (our own script)
    settings = served / "settings.json"
    ports = {"http_port": port, "grpc_port": port + 1}
    settings.write_text(json.dumps(json.loads(settings.read_text()) | ports))
    with Processes(home) as processes:
        command = str(Path(python).with_name("mlserver"))
        process = processes.start("mlserver", [command, "start", str(served)], environ)
        url = f"http://127.0.0.1:{port}"
        processes.wait(process, lambda: _is_ready(url), within_s=STARTING_S)
        yield Started(url, (process.popen.pid,))


def _environment(folder: Path) -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": f"{PACKAGE_ROOT}{os.pathsep}{folder}"}


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready", trust_env=False).is_success
    except httpx.HTTPError:
        return False
