"""Writing in the picture is seen, and neither anatomy nor a side marker is taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cds.imaging.burned_in import has_writing
from cds.imaging.pixels import read_radiograph

from .conftest import MakeFile


def film(size: int = 1024) -> Image.Image:
    y, x = np.mgrid[0:size, 0:size] / size
    grain = np.random.default_rng(1).normal(0, 6, (size, size))
    ribs = 30 * np.sign(np.sin(60 * y + 8 * np.cos(6 * x)))
    return Image.fromarray((110 + 60 * np.sin(5 * x) + ribs + grain).clip(0, 255).astype(np.uint8))


def written(text: str, *, size: int = 22, fill: int = 255, at: tuple[int, int] = (40, 30)) -> NDArray[np.float32]:
    picture = film()
    ImageDraw.Draw(picture).text(at, text, fill=fill, font=ImageFont.load_default(size))
    return np.asarray(picture, np.float32) / 255


def test_a_film_has_no_writing() -> None:
    assert not has_writing(np.asarray(film(), np.float32) / 255)


@pytest.mark.parametrize("size", [16, 24, 40])
@pytest.mark.parametrize("at", [(40, 30), (300, 500), (500, 900)])
def test_a_name_is_seen(size: int, at: tuple[int, int]) -> None:
    assert has_writing(written("DOE^JANE 12.03.1961", size=size, at=at))


def test_black_writing_is_seen_too() -> None:
    assert has_writing(written("DOE^JANE 12.03.1961", fill=0))


def test_a_side_marker_is_no_writing() -> None:
    assert not has_writing(written("R", size=90))


def test_the_edge_of_the_exposed_field_is_no_writing() -> None:
    collimated = np.zeros((1024, 1024), np.float32)
    collimated[100:900, 100:900] = 0.9
    assert not has_writing(collimated)


@pytest.mark.parametrize(
    ("stated", "text", "marked"),
    [("YES", "", True), ("NO", "", False), (None, "", None), ("NO", "DOE^JANE 12.03.1961", True)],
)
def test_what_is_seen_overrules_what_is_stated(
    dicom: MakeFile, stated: str | None, text: str, marked: bool | None
) -> None:
    pixels = (written(text) * 255).astype(np.uint8)
    attributes = {"BurnedInAnnotation": stated} if stated else {}
    film = read_radiograph(dicom(pixels, WindowCenter=128, WindowWidth=256, **attributes))
    assert film.burned_in is marked
