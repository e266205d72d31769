"""A JPEG 2000 film at a reduced resolution gets the scores that it gets whole, to within 0.01."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import UID, HTJ2KLossless, JPEG2000Lossless

from cds.engine.active import in_use
from cds.engine.image import ImageReader
from cds.errors import ImagingError
from cds.imaging.framing import OVERSAMPLING, exposed, framed
from cds.imaging.pictures import read_picture
from cds.imaging.pixels import read_radiograph
from cds.sandbox.radiograph import render
from cds.settings import Settings

from .conftest import make_file

PARITY = 0.01
DATA = Path(os.environ.get("SIGHTLINE_DATA", "/nowhere"))
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}

Film = NDArray[np.uint16]
Encode = Callable[[Film], bytes]


def jpeg2000(film: Film) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(film, codecformat="J2K", reversible=True, level=0, bitspersample=12))


def htj2k(film: Film) -> bytes:
    return bytes(imagecodecs.htj2k_encode(film, reversible=True))


FORMS: dict[str, Encode] = {str(JPEG2000Lossless): jpeg2000, str(HTJ2KLossless): htj2k}


@pytest.fixture(scope="module")
def reader() -> ImageReader:
    return ImageReader.load(in_use(Settings(), "image"), "cpu")


def grainy(film: NDArray[Any], sigma: float) -> Film:
    noise = np.random.default_rng(1).normal(0, sigma, film.shape)
    return np.asarray(np.clip(film + noise, 0, 4095), np.uint16)


def apart(reader: ImageReader, film: Film, syntax: str, **window: Any) -> float:
    """How far the probabilities of the whole film and of the reduced one are apart, at most."""
    asked = reader.bundle.input
    data = make_file(film, UID(syntax), stored=12, codestream=FORMS[syntax](film), **window)
    whole, reduced = read_radiograph(data), read_radiograph(data, at_least=OVERSAMPLING * asked["height"])
    assert reduced.pixels.size < whole.pixels.size / 3
    one, other = (reader.score(framed(seen.pixels, asked)).probabilities for seen in (whole, reduced))
    return max(abs(one[key] - other[key]) for key in one)


@pytest.fixture(scope="module")
def synthetic() -> Film:
    return render(31, size=(2048, 1840), findings={"effusion": 0.6})


@pytest.mark.parametrize("syntax", FORMS)
@pytest.mark.parametrize("sigma", [0, 80, 200])
def test_synthetic_films_grain_and_all(reader: ImageReader, synthetic: Film, syntax: str, sigma: float) -> None:
    assert apart(reader, grainy(synthetic, sigma), syntax, **WINDOW) <= PARITY


def test_a_film_whose_window_is_found_by_its_pixels(reader: ImageReader, synthetic: Film) -> None:
    assert apart(reader, grainy(synthetic, 80), str(HTJ2KLossless)) <= PARITY


def real_films() -> Iterator[NDArray[np.float32]]:
    """Some of each collection: none is large enough by itself to be reduced."""
    for path in sorted((DATA / "nih" / "images").glob("*.jpg"))[:1000:250]:
        yield read_picture(path.read_bytes())
    for path in (*sorted((DATA / "dicom" / "txrv").glob("*.dcm")), *(DATA / "dicom" / "fo-dicom").glob("*CR-*")):
        with suppress(ImagingError):
            yield read_radiograph(path.read_bytes()).pixels


@pytest.mark.skipif(not DATA.exists(), reason="needs the real films: set SIGHTLINE_DATA")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_real_films_enlarged_and_given_grain(reader: ImageReader) -> None:
    films = list(real_films())
    assert len(films) >= 6
    for pixels in films:
        large = np.asarray(Image.fromarray(pixels).resize((2048, 2048), Image.Resampling.BICUBIC))
        assert apart(reader, grainy(large * 4095, 80), str(HTJ2KLossless), **WINDOW) <= PARITY


# What makes it so


def test_a_reduced_film_lies_where_the_film_lies() -> None:
    """The middle of a blurred spot is where it was, to a twentieth of a pixel of the reduced film."""
    y, x = np.mgrid[0:512, 0:512].astype(np.float32)
    spot = np.asarray(4000 * np.exp(-((x - 200.0) ** 2 + (y - 300.0) ** 2) / (2 * 24.0**2)), np.uint16)
    data = make_file(spot, UID(JPEG2000Lossless), stored=12, codestream=jpeg2000(spot), **WINDOW)
    for at_least in (256, 128):
        pixels = read_radiograph(data, at_least=at_least).pixels.astype(np.float64)
        scale = 512 / len(pixels)
        rows, columns = np.indices(pixels.shape)
        down, across = ((pixels * (place + 0.5)).sum() / pixels.sum() * scale for place in (rows, columns))
        assert (down, across) == pytest.approx((300.5, 200.5), abs=scale / 20)


@pytest.mark.parametrize("bits_of_the_codestream", [12, 16])
def test_beside_an_edge_white_stays_white(bits_of_the_codestream: int) -> None:
    """A wavelet overshoots there; a codestream of 16 bits has room for values that 12 stored bits have not."""
    film = np.full((512, 512), 4095, np.uint16)
    film[:, 200:312] = 0
    codestream = bytes(
        imagecodecs.jpeg2k_encode(
            film, codecformat="J2K", reversible=True, level=0, bitspersample=bits_of_the_codestream
        )
    )
    data = make_file(film, UID(JPEG2000Lossless), stored=12, codestream=codestream, **WINDOW)
    pixels = read_radiograph(data, at_least=256).pixels
    assert pixels[:, :96].min() > 0.9
    assert pixels[:, 110:145].max() < 0.1


def test_its_border_is_found_at_the_same_place(synthetic: Film) -> None:
    film = grainy(np.pad(synthetic, ((128, 120), (200, 148)), constant_values=300), 40)
    data = make_file(film, UID(HTJ2KLossless), stored=12, codestream=htj2k(film), **WINDOW)
    whole, reduced = read_radiograph(data).pixels, read_radiograph(data, at_least=896).pixels
    scale = len(whole) / len(reduced)
    assert [edge * scale for edge in exposed(reduced)] == pytest.approx(exposed(whole), abs=8)
