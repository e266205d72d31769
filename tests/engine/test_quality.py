"""Which pictures the shipped gate lets an image model be asked about, and what it says of the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.engine.quality import BLANK, WORDS, QualityGate
from cds.errors import ModelError
from cds.imaging.framing import framed
from cds.imaging.pictures import read_picture
from cds.sandbox.radiograph import render, render_lateral
from tests.hospital import MODELS

Picture = NDArray[np.float32]

ASKED = {"height": 224, "width": 224}
SIZE = (320, 320)
SEEDS = range(50, 56)
NIH = Path(os.environ.get("SIGHTLINE_DATA", "../shared/data")) / "nih" / "images"


@pytest.fixture(scope="module")
def gate() -> QualityGate:
    return QualityGate.from_bundle(Bundle.load(MODELS / "film-quality"))


@pytest.fixture(scope="module")
def films() -> list[Picture]:
    """Upright frontal films, of seeds that training did not have."""
    return [framed(render(seed, size=SIZE).astype(np.float32) / 4095, ASKED) for seed in SEEDS]


def test_nothing_is_said_of_an_upright_frontal_film(gate: QualityGate, films: list[Picture]) -> None:
    assert [gate(film) for film in films] == [()] * len(films)


@pytest.mark.parametrize("side", [96, 224, 320, 512])
def test_the_size_of_the_frame_does_not_matter(gate: QualityGate, side: int) -> None:
    film = render(50, size=SIZE).astype(np.float32) / 4095
    assert gate(framed(film, {"height": side, "width": side})) == ()


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (WORDS["turned"], np.rot90),
        (WORDS["turned"], lambda film: np.rot90(film, 2)),
        (WORDS["turned"], lambda film: np.rot90(film, 3)),
        (WORDS["inverted"], lambda film: 1 - film),
        (BLANK, np.zeros_like),
        (BLANK, np.ones_like),
    ],
)
def test_what_is_wrong_is_said(
    gate: QualityGate, films: list[Picture], words: str, wrong: Callable[[Picture], Picture]
) -> None:
    said = [gate(np.ascontiguousarray(wrong(film))) for film in films]
    assert sum(words in one for one in said) >= len(films) - 1


def test_a_lateral_view_that_was_taken_for_a_frontal_one_is_said(gate: QualityGate) -> None:
    films = [framed(render_lateral(seed, size=SIZE).astype(np.float32) / 4095, ASKED) for seed in SEEDS]
    assert all(WORDS["lateral"] in gate(film) for film in films)


def test_noise_looks_like_no_chest(gate: QualityGate) -> None:
    noise = np.random.default_rng(0).uniform(0, 1, (224, 224)).astype(np.float32)
    assert WORDS["unlike"] in gate(noise)


@pytest.mark.skipif(not NIH.is_dir(), reason=f"no real films in {NIH}")
def test_few_real_films_are_flagged_and_turned_ones_are(gate: QualityGate) -> None:
    films = [framed(read_picture(file.read_bytes()), ASKED) for file in sorted(NIH.iterdir())[:200:2]]
    assert np.mean([bool(gate(film)) for film in films]) <= 0.06
    assert np.mean([bool(gate(np.ascontiguousarray(np.rot90(film)))) for film in films]) >= 0.9


def test_limits_that_do_not_fit_the_scores_are_refused(tmp_path: Path) -> None:
    for file in (MODELS / "film-quality").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((tmp_path / "bundle.json").read_text())
    manifest["limits"]["upside-down"] = manifest["limits"].pop("turned")
    (tmp_path / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="limits"):
        QualityGate.from_bundle(Bundle.load(tmp_path))


def test_another_kind_of_bundle_is_refused() -> None:
    with pytest.raises(ModelError, match="fusion, not quality"):
        QualityGate.from_bundle(Bundle.load(MODELS / "late-fusion"))
