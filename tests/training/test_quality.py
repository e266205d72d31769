"""Pictures that the film gate learns from are wrong in the way that they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from cds.engine.image import Picture
from cds.engine.quality import WORDS, Look
from cds.imaging.framing import framed
from cds.sandbox.radiograph import render
from training.quality import made
from training.quality.fit import KINDS, Lesson, fit

ASKED = {"height": made.SIDE, "width": made.SIDE}


@pytest.fixture(scope="module")
def films() -> list[Picture]:
    return [framed(render(seed, size=(240, 240)).astype(np.float32) / 4095, ASKED) for seed in range(60, 66)]


@pytest.mark.parametrize("make", [made.plain, *made.WRONG.values()])
def test_what_is_made_is_a_framed_picture(make: made.Make, films: list[Picture]) -> None:
    picture = make(films[0], np.random.default_rng(0))
    assert picture.shape == (made.SIDE, made.SIDE)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() < picture.max() <= 1


def test_a_badly_exposed_film_is_black_or_white_over_much_of_it(films: list[Picture]) -> None:
    picture = made.badly_exposed(films[0], np.random.default_rng(1))
    assert max((picture < 0.05).mean(), (picture > 0.95).mean()) >= 0.3


def test_there_are_words_for_whatever_is_learnt() -> None:
    assert set(KINDS) <= set(WORDS)
    assert set(made.WRONG) <= set(KINDS)


def test_a_blank_picture_has_no_look(films: list[Picture]) -> None:
    assert Look.at(np.full((224, 224), 0.5, np.float32)) is None
    assert Look.at(films[0]) is not None


def test_a_gate_has_a_limit_for_every_kind(films: list[Picture]) -> None:
    random = np.random.default_rng(2)
    right = [made.plain(film, random) for film in films for _ in range(6)]
    turned = [np.ascontiguousarray(np.rot90(film)) for film in right]
    lessons = [Lesson(film, None) for film in right] + [Lesson(film, "turned") for film in turned]
    tensors, limits = fit(lessons, right, steps=10)
    assert set(limits) == {"unlike", *KINDS}
    assert limits["turned"] >= 0
    assert tensors["basis"].shape[1] == len(tensors["mean"])
