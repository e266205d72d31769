"""``frame``: the square that the model sees does not depend on borders, windows or size."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cds.imaging.framing import exposed, frame, framed


def chest(height: int = 600, width: int = 500) -> NDArray[np.float32]:
    """Two dark ovals on a bright ground, brighter downwards."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32([[[height]], [[width]]])
    lungs = sum(((x - c) / 0.16) ** 2 + ((y - 0.45) / 0.3) ** 2 < 1 for c in (0.28, 0.72))
    return np.asarray(0.5 + 0.3 * y + 0.1 * np.sin(9 * x) - 0.35 * lungs, np.float32)


def test_a_frame_is_a_square_of_full_contrast() -> None:
    framed = frame(chest(), 224)
    assert framed.shape == (224, 224)
    assert framed.dtype == np.float32
    assert framed.min() == 0
    assert framed.max() == 1


@pytest.mark.parametrize("shade", [0.0, 1.0])
def test_flat_borders_are_cropped(shade: float) -> None:
    inside = chest()
    bordered = np.full((700, 620), shade, np.float32)
    bordered[40:640, 70:570] = inside
    top, bottom, left, right = exposed(bordered)
    assert abs(top - 40) <= 4
    assert abs(bottom - 640) <= 4
    assert abs(left - 70) <= 4
    assert abs(right - 570) <= 4
    # A line in which border and film meet may stay.
    assert np.abs(frame(bordered, 224) - frame(inside, 224)).mean() < 0.035


def test_a_marker_burned_into_a_border_does_not_save_it() -> None:
    bordered = np.zeros((600, 500), np.float32)
    bordered[:, 60:] = chest()[:, 60:]
    bordered[100:130, 10:40] = 1
    assert exposed(bordered)[2] >= 56


def test_no_more_than_a_quarter_is_taken_off_a_side() -> None:
    mostly_black = np.zeros((600, 500), np.float32)
    mostly_black[280:320, 230:270] = chest(40, 40)
    top, bottom, left, right = exposed(mostly_black)
    assert (top, left) <= (150, 125)
    assert (bottom, right) >= (450, 375)


def test_a_window_makes_no_difference() -> None:
    np.testing.assert_allclose(frame(0.4 * chest() + 0.3, 224), frame(chest(), 224), atol=1e-4)


def test_the_size_of_the_film_makes_hardly_any_difference() -> None:
    assert np.abs(frame(chest(2400, 2000), 224) - frame(chest(600, 500), 224)).mean() < 0.01


@pytest.mark.parametrize("shape", [(64, 64), (64, 3000), (3000, 64)])
def test_any_shape_is_framed(shape: tuple[int, int]) -> None:
    assert frame(chest(*shape), 224).shape == (224, 224)


def test_a_flat_picture_stays_black() -> None:
    assert not frame(np.full((300, 300), 0.7, np.float32), 224).any()


# What a bundle may ask for


def test_a_film_may_keep_its_proportions() -> None:
    tall = chest(800, 400)
    padded = framed(tall, {"height": 224, "width": 224, "fit": "pad"})
    assert padded.shape == (224, 224)
    assert not padded[:, :50].any()
    assert not padded[:, -50:].any()
    np.testing.assert_allclose(padded[:, 56:168], framed(tall, {"height": 224, "width": 112}), atol=1e-6)


def test_the_middle_may_be_enough() -> None:
    wide = chest(400, 800)
    cropped = framed(wide, {"height": 200, "width": 200, "fit": "crop", "contrast": "keep"})
    assert np.abs(cropped - wide[:, 200:600].reshape(200, 2, 200, 2).mean((1, 3))).mean() < 1e-3


def test_contrast_may_be_left_alone() -> None:
    dim = chest() * 0.5
    kept = framed(dim, {"height": 100, "width": 100, "contrast": "keep"})
    assert kept.max() <= dim.max()
    assert kept.mean() == pytest.approx(dim.mean(), abs=0.01)
