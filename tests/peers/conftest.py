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
from bench.peers.open_inference import SERVERS, STARTING_S, Started, python_of
from tests.hospital import MODELS


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


def _running(name: str, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    variable, start = SERVERS[name]
    python = python_of(variable)
    if not python:
        pytest.skip(f"{name} is not here: {variable} names no Python that has it")
    (port, _) = free_ports(2)
    with start(python, tmp_path_factory.mktemp("server"), port, models, STARTING_S) as started:
        yield started


@pytest.fixture(scope="module")
def ray(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Two nodes with a replica each, behind one address."""
    yield from _running("Ray Serve", models, tmp_path_factory)


@pytest.fixture(scope="module")
def mlserver(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    yield from _running("MLServer", models, tmp_path_factory)


@pytest.fixture(scope="module")
def triton(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    yield from _running("Triton", models, tmp_path_factory)


@pytest.fixture(scope="module")
def kserve(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    yield from _running("KServe", models, tmp_path_factory)
