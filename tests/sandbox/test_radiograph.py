"""Synthetic radiographs: the same seed gives the same film, and each finding changes the lung where it should."""

import csv

import numpy as np
import pytest
from PIL import Image

from cds.findings import FINDINGS
from cds.sandbox.radiograph import TRAINING_SEEDS, render
from cds.sandbox.radiograph.__main__ import COLUMNS, draw_case, main
from cds.sandbox.radiograph.findings import PAINTERS

SIZE = (160, 160)
SEED = 7

RIGHT_LUNG = np.s_[40:105, 22:62]
LEFT_LUNG = np.s_[40:105, 98:138]
RIGHT_BASE = np.s_[85:115, 20:60]
RIGHT_WALL = np.s_[48:88, 32:40]


def film(**options):
    return render(SEED, size=SIZE, **options).astype(float)


HEALTHY = film()


def test_a_seed_is_a_film():
    assert np.array_equal(film(findings={"edema": 0.5}), film(findings={"edema": 0.5}))
    assert not np.array_equal(HEALTHY, render(SEED + 1, size=SIZE))


def test_a_film_has_twelve_bits_and_the_size_asked_for():
    pixels = render(SEED, size=(120, 96))
    assert pixels.dtype == np.uint16
    assert pixels.shape == (120, 96)
    assert pixels.max() <= 4095
    assert pixels.max() > 3500


def test_lungs_are_darker_than_the_mediastinum_and_the_abdomen():
    pixels = HEALTHY
    lungs = (pixels[RIGHT_LUNG].mean() + pixels[LEFT_LUNG].mean()) / 2
    assert pixels[40:100, 75:85].mean() > lungs + 1000
    assert pixels[125:145, 50:110].mean() > lungs + 1000


def test_the_heart_lies_on_the_viewers_right():
    lower = HEALTHY[80:105]
    assert lower[:, 85:110].mean() > lower[:, 50:75].mean() + 300


@pytest.mark.parametrize("key", sorted(FINDINGS))
def test_every_finding_of_the_service_can_be_drawn(key):
    assert np.abs(film(findings={key: 0.8}) - HEALTHY).max() > 300


def test_effusion_whitens_the_base_of_its_side_only():
    sick = film(findings={"effusion": 0.6}, sides={"effusion": "right"}) - HEALTHY
    assert sick[RIGHT_BASE].mean() > 400
    assert abs(sick[LEFT_LUNG].mean()) < 200


def test_pneumothorax_darkens_the_lung_by_the_wall_of_its_side():
    sick = film(findings={"pneumothorax": 0.5}, sides={"pneumothorax": "right"}) - HEALTHY
    assert sick[RIGHT_WALL].mean() < -150
    assert abs(sick[LEFT_LUNG].mean()) < 200


def test_a_worse_finding_changes_more():
    changes = [np.abs(film(findings={"consolidation": much}) - HEALTHY).mean() for much in (0.2, 0.9)]
    assert changes[0] < changes[1]


@pytest.mark.parametrize(
    ("findings", "said"), [({"fracture": 0.5}, "not a finding"), ({"edema": 2}, "between 0 and 1")]
)
def test_what_cannot_be_drawn_is_said(findings, said):
    with pytest.raises(ValueError, match=said):
        film(findings=findings)


def test_the_training_set_is_labelled_like_chestxray14(tmp_path):
    main([str(tmp_path), "--count", "3", "--size", "64"])
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text().splitlines()))
    assert [*rows[0]] == ["image_id", "patient_id", "view", "age", "sex", *COLUMNS, "no_finding"]
    for row in rows:
        assert int(row["patient_id"]) >= TRAINING_SEEDS
        assert (row["no_finding"] == "1") == all(row[column] == "0" for column in COLUMNS)
        with Image.open(tmp_path / f"{row['image_id']}.png") as image:
            assert (image.size, image.mode) == ((64, 64), "L")


def test_about_45_percent_of_the_training_set_is_normal():
    cases = [draw_case(seed)[3] for seed in range(TRAINING_SEEDS, TRAINING_SEEDS + 400)]
    assert 0.38 < sum(not findings for findings in cases) / len(cases) < 0.52
    assert {key for findings in cases for key in findings} == set(PAINTERS) == set(FINDINGS)
    assert {column.lower() for column in COLUMNS} == set(FINDINGS)


@pytest.mark.parametrize("argument", ["--count=0", "--size=3", "--seed=-1", "--count=many"])
def test_a_wrong_argument_is_refused(argument, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path), argument])
    assert "must be a whole number of at least" in capsys.readouterr().err
