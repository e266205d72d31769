"""Writing in the picture is seen, and neither anatomy nor a side marker is taken for it."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.uid import JPEG2000Lossless

from cds.imaging.burned_in import has_writing
from cds.imaging.pixels import Radiograph, read_radiograph

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


class TestAReducedFilm:
    """JPEG 2000, decoded at half its resolution."""

    def read(self, dicom: MakeFile, picture: Image.Image, at_least: int) -> Radiograph:
        pixels = np.asarray(picture)
        codestream = imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True, level=0)
        file = dicom(pixels, JPEG2000Lossless, codestream=bytes(codestream), WindowCenter=128, WindowWidth=256)
        return read_radiograph(file, at_least=at_least)

    @pytest.fixture(scope="class")
    @staticmethod
    def large() -> Image.Image:
        return film(1024).resize((2048, 2048), Image.Resampling.BICUBIC)

    @pytest.mark.parametrize("size", [28, 48, 80])
    def test_a_name_is_seen_in_it(self, dicom: MakeFile, large: Image.Image, size: int) -> None:
        named = large.copy()
        ImageDraw.Draw(named).text((600, 900), "DOE^JANE 12.03.1961", fill=255, font=ImageFont.load_default(size))
        read = self.read(dicom, named, 896)
        assert read.pixels.shape == (1024, 1024)
        assert read.burned_in is True

    def test_without_one_it_has_none(self, dicom: MakeFile, large: Image.Image) -> None:
        assert self.read(dicom, large, 896).burned_in is None

    def test_one_that_is_too_small_is_not_looked_at(self) -> None:
        small = np.asarray(film(), np.float32)[::2, ::2]
        assert not has_writing((small > 100).astype(np.float32), reduced=True)


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
