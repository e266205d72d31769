"""Resampling: what Pillow's bicubic makes of the same picture, to the sixth decimal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cds.imaging.smoothing import Box, Pixels, smoothed


def by_pillow(pixels: Pixels, size: tuple[int, int], box: Box | None = None) -> Pixels:
    rows, columns = size
    return np.asarray(Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BICUBIC, box=box))


def grain(*shape: int) -> Pixels:
    return np.random.default_rng(sum(shape)).random(shape, dtype=np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(64, 900), st.integers(64, 900), st.integers(1, 400), st.integers(1, 400))
def test_at_any_size(rows: int, columns: int, to_rows: int, to_columns: int) -> None:
    film = grain(rows, columns)
    size = to_rows, to_columns
    assert np.abs(smoothed(film, size) - by_pillow(film, size)).max() < 2e-6


@pytest.mark.parametrize("box", [(0, 0, 500, 300), (3.25, 7.875, 498.125, 299.5), (100, 20, 350.5, 270)])
def test_of_a_part(box: Box) -> None:
    """Pillow keeps edges in single precision: these are so that nothing is lost by it."""
    film = grain(300, 500)
    assert np.abs(smoothed(film, (224, 200), box) - by_pillow(film, (224, 200), box)).max() < 2e-6


def test_a_film_and_its_mirror_image_stay_such() -> None:
    film = grain(640, 512)
    assert smoothed(film[:, ::-1], (224, 224)) == pytest.approx(smoothed(film, (224, 224))[:, ::-1], abs=1e-6)


def test_an_even_picture_stays_even() -> None:
    assert np.ptp(smoothed(np.full((700, 300), 0.3, np.float32), (224, 224))) < 1e-6
