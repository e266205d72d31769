"""The service as processes: the web server and the worker."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx

from cds import tls
from cds.processes import Process, Processes, free_port
from cds.settings import PACKAGE_ROOT, Settings

GUNICORN = ["-m", "gunicorn", "-c", str(PACKAGE_ROOT / "deploy" / "gunicorn.conf.py"), "wsgi:app"]


def python(*arguments: str) -> list[str]:
    """A command line of this very Python."""
    return [sys.executable, *arguments]


def environment(settings: Settings) -> dict[str, str]:
    """Ours, with the settings spelled out; one arithmetic thread per core unless the settings say otherwise."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    # gunicorn finds wsgi.py by the path, wherever it is started from.
    return {**inherited, **settings.as_environment(), "PYTHONPATH": str(PACKAGE_ROOT)}


def answers(url: str) -> bool:
    """Whether ``url`` answers 200."""
    try:
        return httpx.get(url, timeout=2.0, verify=tls.public()).status_code == 200
    except httpx.HTTPError:
        return False


def start_web(processes: Processes, settings: Settings) -> Process:
    free_port(settings.host, settings.port, "CDS_PORT")
    return processes.start("web", python(*GUNICORN), environment(settings))


def start_worker(processes: Processes, settings: Settings) -> Process:
    return processes.start("worker", python("-m", "cds.cli", "worker"), environment(settings))


def wait_for_web(processes: Processes, web: Process, settings: Settings) -> None:
    url = f"http://{settings.host}:{settings.port}/readyz"
    processes.wait(web, lambda: answers(url), within_s=120)


def logs(settings: Settings) -> Path:
    return settings.data_dir / "logs"
