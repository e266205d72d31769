"""The engine's models are those that it tells callers of, after a restart too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cds.engine.active import FILE, with_choice
from cds.engine.bundles import Bundle
from cds.engine.prepare import prepare
from cds.errors import ModelError
from cds.inference.engine import Models
from cds.settings import Settings
from tests.hospital import MODELS


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS, tmp_path / "models"))


@pytest.fixture
def models(directory: Path) -> Models:
    return Models.in_use(Settings(models_dir=directory))


def test_a_bundle_that_was_replaced_in_place_is_not_run_under_the_old_digest(
    models: Models, directory: Path
) -> None:
    manifest = directory / "clinical-note" / "bundle.json"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(ModelError, match="clinical-note was replaced"):
        models.check()


def test_nor_is_anything_found_out_about_it_kept_under_the_old_digest(
    models: Models, directory: Path, tmp_path: Path
) -> None:
    manifest = directory / "clinical-note" / "bundle.json"
    manifest.write_text(manifest.read_text() + "\n")
    kept = tmp_path / "kept"
    kept.mkdir()
    with pytest.raises(ModelError, match="clinical-note was replaced"):
        prepare(models.note, kept)
    assert not list(kept.iterdir())


def test_nor_are_weights_that_were_exchanged_beneath_it(models: Models, directory: Path) -> None:
    (directory / "chest-radiograph" / "model.safetensors").write_bytes(b"others")
    with pytest.raises(ModelError, match="altered"):
        models.check()


def test_another_choice_waits_for_the_next_start(models: Models, directory: Path) -> None:
    shutil.copytree(directory / "clinical-note", directory / "next")
    (directory / FILE).write_text(with_choice(directory, Bundle.load(directory / "next")))
    models.check()
