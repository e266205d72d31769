"""A saliency map lies over the film where the model saw what it speaks of, whatever framing did to the film."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cds.imaging.framing import framed, placement
from cds.imaging.overlay import FAINTEST, coloured, on_film, overlay_png

SPOT = (slice(420, 480), slice(300, 340))


def film(rows: int = 800, columns: int = 500) -> NDArray[np.float32]:
    """A gentle texture without a border, and in it one bright spot."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    pixels = np.asarray(0.3 + 0.1 * np.sin(x / 40) + 0.1 * np.sin(y / 30), np.float32)
    pixels[SPOT] = 1.0
    return pixels


def bordered(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(pixels, ((96, 32), (0, 128)))


@pytest.mark.parametrize("fit", ["fill", "crop", "pad"])
def test_what_is_bright_in_the_frame_comes_back_to_where_it_is_bright_on_the_film(fit: str) -> None:
    asked = {"height": 224, "width": 224, "fit": fit, "contrast": "keep"}
    bright = (framed(film(), asked) > 0.95).astype(np.float32)
    back = on_film(bright, placement(film(), asked), film().shape)
    assert back.shape == film().shape
    assert back[SPOT].mean() > 0.9
    assert back.sum() < 1.2 * back[SPOT].sum()


def test_a_collimation_border_was_not_seen_and_gets_nothing() -> None:
    asked = {"height": 224, "width": 224}
    pixels = bordered(film())
    place = placement(pixels, asked)
    back = on_film(np.ones((224, 224), np.float32), place, pixels.shape)
    assert back[round(place.top) : round(place.bottom), round(place.left) : round(place.right)].min() == 1
    assert not back[: round(place.top)].any()
    assert not back[:, round(place.right) :].any()
    assert abs(place.top - 96) <= 6
    assert abs(place.right - 500) <= 6


def test_of_a_padded_frame_the_padding_is_left_behind() -> None:
    asked: dict[str, Any] = {"height": 224, "width": 224, "fit": "pad"}
    beside = np.zeros((224, 224), np.float32)
    beside[:, :30] = 1
    assert not on_film(beside, placement(film(), asked), film().shape).any()


def test_the_overlay_is_clear_where_little_speaks_and_shows_the_film_through_where_much_does() -> None:
    colours = coloured(np.array([[0, FAINTEST, 0.6, 1]], np.float32))
    opacity = colours[0, :, 3].tolist()
    assert opacity[:2] == [0, 0]
    assert 0 < opacity[2] < opacity[3] < 255


def test_stronger_is_brighter_for_those_who_see_no_colour() -> None:
    ramp = coloured(np.linspace(0, 1, 64, dtype=np.float32)[None])[0, :, :3]
    brightness = ramp @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(brightness) > 0).all()


def test_a_png_of_the_proportions_of_the_film() -> None:
    asked = {"height": 224, "width": 224}
    png = overlay_png(framed(film(), asked), placement(film(), asked), film().shape, 400)
    with Image.open(BytesIO(png)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (250, 400))
