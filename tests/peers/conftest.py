"""Servers of other makers, each in an environment of its own (docs/remote-engine.md, "Tests against peers").

Each module has its own: it may kill parts of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.hospital import free_ports
from bench.peers.open_inference import Started, mlserver, python_of, ray_serve
from tests.hospital import MODELS


def _python(variable: str, what: str) -> str:
    if python := python_of(variable):
        return python
    pytest.skip(f"{what} is not here: {variable} names no Python that has it")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundles that ship, and the note's in another version: one whose findings are in reverse order."""
    directory = tmp_path_factory.mktemp("models")
    for bundle in ("chest-radiograph", "clinical-note"):
        shutil.copytree(MODELS / bundle, directory / bundle)
    shutil.copytree(MODELS / "clinical-note", directory / "clinical-note-next")
    manifest = directory / "clinical-note-next" / "bundle.json"
    stated = json.loads(manifest.read_text())
    outputs = list(reversed(range(len(stated["findings"]))))
    manifest.write_text(json.dumps({**stated, "version": "next", "outputs": outputs}))
    return directory


@pytest.fixture(scope="module")
def ray(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Two nodes with a replica each, behind one address."""
    python = _python("RAY_PYTHON", "Ray Serve")
    (port,) = free_ports(1)
    with ray_serve(python, tmp_path_factory.mktemp("ray"), port, models) as started:
        yield started


@pytest.fixture(scope="module")
def ml(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    python = _python("MLSERVER_PYTHON", "MLServer")
    (port, _) = free_ports(2)
    with mlserver(python, tmp_path_factory.mktemp("mlserver"), port, models) as started:
        yield started
