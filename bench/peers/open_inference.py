"""Servers of other makers with our models, each run by a Python of its own, on loopback and for as long as needed.

One that is not ready in time is a :class:`~cds.processes.ProcessFailed`. However it goes, nothing of them is left
(:data:`bench.peers.machines.ALONE`).

The Pythons are named by ``RAY_PYTHON``, ``MLSERVER_PYTHON``, ``TRITON_PYTHON`` and ``KSERVE_PYTHON``;
docs/remote-engine.md says what they need.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # (brings no types)

from bench.peers.machines import ANEW, APART, alone
from cds.processes import Processes, ProcessFailed
from cds.settings import PACKAGE_ROOT

DEPLOY, PEERS = PACKAGE_ROOT / "deploy", PACKAGE_ROOT / "bench" / "peers"
RAY_NODES = 2
STARTING_S = 600.0
"""For who has time. Most of it is importing torch, several times; on a busy machine that takes minutes."""


@dataclass(frozen=True, slots=True)
class Started:
    """Where it answers, and the processes whose death it is to survive."""

    url: str
    nodes: tuple[int, ...] = ()


Start = Callable[[str, Path, int, Path, float], AbstractContextManager[Started]]
"""By a Python, its files in a directory, at a port, with the bundles of a directory, within so many seconds."""


def python_of(variable: str) -> str | None:
    """The Python that the environment names, where it is there."""
    path = os.environ.get(variable, "")
    return path if path and Path(path).is_file() else None


@contextmanager
def ray_serve(python: str, home: Path, port: int, models_dir: Path, within_s: float) -> Iterator[Started]:
    """A head, and two nodes that score: machines of their own (:mod:`bench.peers.machines`), a replica each."""
    environ = _environment(DEPLOY / "ray") | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": "/tmp"}  # noqa: S108 (ray_nodes.FILES)
    environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with socket.create_server(("127.0.0.1", port)) as door, (home / "ray.log").open("w") as log:
        asked = [str(home), str(models_dir), str(RAY_NODES), str(door.fileno())]
        with subprocess.Popen(  # noqa: S603 (our own script)
            [*APART, python, str(PEERS / "ray_nodes.py"), *asked],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[door.fileno()],
        ) as process:
            try:
                _wait_for_a_line(process, log.name, within_s)
                yield Started(f"http://127.0.0.1:{port}", _machines(process.pid))
            finally:
                process.kill()


def _wait_for_a_line(process: subprocess.Popen[bytes], log: str, within_s: float) -> None:
    """Of its output, which says that it is ready."""
    assert process.stdout is not None
    come, _, _ = select.select([process.stdout], [], [], within_s)
    if not come or not process.stdout.readline():
        raise ProcessFailed(f"Ray Serve was not ready within {within_s:.0f} s, or ended; see {log}")


def _machines(pid: int) -> tuple[int, ...]:
    """Of a cluster the nodes that score; they are told apart by what they were told to be."""
    begun = psutil.Process(pid).children(recursive=True)
    return tuple(each.pid for each in begun if each.name() == "unshare")


@contextmanager
def mlserver(python: str, home: Path, port: int, models_dir: Path, within_s: float) -> Iterator[Started]:
    """One MLServer with every bundle of ``models_dir``."""
    environ = _environment(DEPLOY / "mlserver")
    script, served = DEPLOY / "mlserver" / "write_settings.py", home / "mlserver"
    _run([python, str(script), str(models_dir), str(served)], environ, within_s)
    settings = served / "settings.json"
    ports = {"http_port": port, "grpc_port": port + 1}
    settings.write_text(json.dumps(json.loads(settings.read_text()) | ports))
    command = [str(Path(python).with_name("mlserver")), "start", str(served)]
    with _started("mlserver", command, environ, home, port, within_s) as started:
        yield started


@contextmanager
def triton(python: str, home: Path, port: int, models_dir: Path, within_s: float) -> Iterator[Started]:
    """One Triton with every bundle of ``models_dir``."""
    environ = _environment(DEPLOY / "triton")
    write, served = DEPLOY / "triton" / "write_repository.py", home / "triton"
    _run([python, str(write), str(models_dir), str(served)], environ, within_s)
    # 2.51 aborts now and then over a lock of its own while it begins on a busy machine.
    command = [*ANEW, python, str(PEERS / "triton_server.py"), str(served), str(port)]
    with _started("triton", command, environ, home, port, within_s) as started:
        yield started


@contextmanager
def kserve(python: str, home: Path, port: int, models_dir: Path, within_s: float) -> Iterator[Started]:
    """One server of KServe with the bundles of ``models_dir`` that ship: it has one version of each model."""
    script = str(DEPLOY / "kserve" / "application.py")
    bundles = [str(models_dir / name) for name in ("chest-radiograph", "clinical-note")]
    command = [python, script, *bundles, f"--http_port={port}"]
    with _started("kserve", command, _environment(DEPLOY / "kserve"), home, port, within_s) as started:
        yield started


def _run(command: Sequence[str], environ: Mapping[str, str], within_s: float) -> None:
    subprocess.run(command, env=environ, check=True, timeout=within_s)  # noqa: S603 (our own scripts)


@contextmanager
def _started(
    name: str, command: Sequence[str], environ: Mapping[str, str], home: Path, port: int, within_s: float
) -> Iterator[Started]:
    """A server on this machine, ready."""
    url = f"http://127.0.0.1:{port}"
    with Processes(home) as processes:
        process = processes.start(name, alone(command), environ)
        try:
            processes.wait(process, lambda: _is_ready(url), within_s)
            yield Started(url, (process.popen.pid,))
        finally:
            processes.kill(name)


SERVERS: Mapping[str, tuple[str, Start]] = {
    "Ray Serve": ("RAY_PYTHON", ray_serve),
    "MLServer": ("MLSERVER_PYTHON", mlserver),
    "Triton": ("TRITON_PYTHON", triton),
    "KServe": ("KSERVE_PYTHON", kserve),
}
"""Which variable names the Python that has it, and what starts it."""


def _environment(folder: Path) -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": f"{PACKAGE_ROOT}{os.pathsep}{folder}"}


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready", trust_env=False).is_success
    except httpx.HTTPError:
        return False
