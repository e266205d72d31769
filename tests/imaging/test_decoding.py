"""Every transfer syntax of a radiograph: the same picture comes out, or the reason why not."""

from __future__ import annotations

import csv
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from cds.errors import ImagingError, UnsupportedSyntax
from cds.imaging import deflated
from cds.imaging.decoding import decoded
from cds.imaging.grayscale import stored_values
from cds.imaging.pixels import read_radiograph

from .conftest import MakeFile

WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}
DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[3] / "shared/data")) / "dicom"

Picture = NDArray[Any]
Encoder = Callable[[Picture], bytes]


def film(rows: int = 200, columns: int = 150) -> NDArray[np.uint16]:
    """A 12-bit picture of odd proportions with a little grain."""
    y, x = np.mgrid[0:rows, 0:columns] / rows
    smooth = 2000 + 1200 * np.sin(7 * x) * np.cos(5 * y)
    return (smooth + np.random.default_rng(3).normal(0, 20, (rows, columns))).clip(0, 4095).astype(np.uint16)


def encoded(picture: Picture, syntax: UID, encode: Encoder | None, **attributes: Any) -> bytes:
    from .conftest import make_file

    codestream = bytes(encode(picture)) if encode else None
    return make_file(picture, syntax, codestream=codestream, stored=12, **WINDOW, **attributes)


def lossless(predictor: int) -> Encoder:
    return lambda picture: imagecodecs.jpeg8_encode(
        picture.view("u2"),
        lossless=True,
        predictor=predictor,
        bitspersample=16 if picture.dtype.kind == "i" else 12,
    )


def jpeg_2000(picture: Picture) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(picture, codecformat="J2K", reversible=True, level=0))


def htj2k(picture: Picture) -> bytes:
    return bytes(imagecodecs.htj2k_encode(picture, reversible=True))


LOSSLESS: dict[str, tuple[UID, Encoder | None]] = {
    "implicit": (ImplicitVRLittleEndian, None),
    "explicit": (ExplicitVRLittleEndian, None),
    "big endian": (ExplicitVRBigEndian, None),
    "deflated": (DeflatedExplicitVRLittleEndian, None),
    "RLE": (RLELossless, None),
    "JPEG process 14": (JPEGLossless, lossless(5)),
    "JPEG process 14 SV1": (JPEGLosslessSV1, lossless(1)),
    "JPEG-LS": (JPEGLSLossless, lambda picture: imagecodecs.jpegls_encode(picture.view("u2"))),
    "JPEG 2000": (JPEG2000Lossless, jpeg_2000),
    "HTJ2K": (HTJ2KLossless, htj2k),
    "HTJ2K RPCL": (HTJ2KLosslessRPCL, htj2k),
}


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize(("syntax", "encode"), LOSSLESS.values(), ids=LOSSLESS)
def test_a_lossless_transfer_syntax_changes_no_pixel(syntax: UID, encode: Encoder | None, signed: bool) -> None:
    picture = (film().astype(np.int16) - 2048) if signed else film()
    dataset = _dataset(encoded(picture, syntax, encode))
    np.testing.assert_array_equal(_stored(dataset), picture)


LOSSY: dict[str, tuple[UID, Encoder, int]] = {
    "JPEG extended, 12 bits": (
        JPEGExtended12Bit,
        lambda picture: imagecodecs.jpeg8_encode(picture, level=95, bitspersample=12),
        40,
    ),
    "JPEG-LS near-lossless": (
        JPEGLSNearLossless,
        lambda picture: imagecodecs.jpegls_encode(picture, level=5),
        5,
    ),
    "JPEG 2000": (
        UID("1.2.840.10008.1.2.4.91"),
        lambda picture: imagecodecs.jpeg2k_encode(picture, codecformat="J2K", level=85),
        40,
    ),
    "HTJ2K": (
        UID("1.2.840.10008.1.2.4.203"),
        lambda picture: imagecodecs.htj2k_encode(picture, reversible=False, level=0.0001),
        40,
    ),
}


@pytest.mark.parametrize(("syntax", "encode", "tolerance"), LOSSY.values(), ids=LOSSY)
def test_a_lossy_one_changes_them_little(syntax: UID, encode: Encoder, tolerance: int) -> None:
    picture = film()
    off = np.abs(_stored(_dataset(encoded(picture, syntax, encode))).astype(int) - picture)
    assert 0 < off.max() <= tolerance


def test_jpeg_baseline_has_eight_bits(dicom: MakeFile) -> None:
    picture = (film() >> 4).astype(np.uint8)
    data = dicom(picture, JPEGBaseline8Bit, codestream=imagecodecs.jpeg8_encode(picture, level=95))
    assert np.abs(decoded(_dataset(data)).astype(int) - picture).max() <= 8


@pytest.mark.parametrize(("photometric", "space"), [("YBR_FULL_422", "YCBCR"), ("RGB", "RGB")])
@pytest.mark.parametrize("marked", [True, False])
def test_colour_is_what_codestream_and_header_say_that_it_is(
    dicom: MakeFile, photometric: str, space: str, marked: bool
) -> None:
    y, x = np.mgrid[0:96, 0:128] / 128
    picture = (np.stack([x, y, 1 - x], axis=2) * 255).astype(np.uint8)
    frame = imagecodecs.jpeg8_encode(picture, level=98, colorspace="RGB", outcolorspace=space)
    if not marked:
        frame = frame.replace(b"JFIF", b"none").replace(b"\xff\xee\x00\x0eAdobe", b"\xff\xee\x00\x0eNobod")
    data = dicom(picture, JPEGBaseline8Bit, codestream=frame, PhotometricInterpretation=photometric)
    assert np.abs(decoded(_dataset(data)).astype(int) - picture).mean() < 2


@pytest.mark.parametrize(
    ("encode", "syntax"), [(jpeg_2000, JPEG2000Lossless), (htj2k, HTJ2KLossless)], ids=["JPEG 2000", "HTJ2K"]
)
def test_a_reduced_film_looks_like_the_film(encode: Encoder, syntax: UID) -> None:
    picture = film(1024, 768)
    reduced = decoded(_dataset(encoded(picture, syntax, encode)), at_least=192)
    assert reduced.shape == (256, 192)
    averaged = picture.reshape(256, 4, 192, 4).mean((1, 3))
    assert np.abs(reduced - averaged).mean() < 12


# What is refused, and how soon


def test_a_file_that_inflates_without_end_is_stopped(dicom: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflated, "MAX_INFLATED", 1_000_000)
    with pytest.raises(ImagingError, match="more than a film"):
        read_radiograph(dicom(np.zeros((2000, 2000), np.uint16), DeflatedExplicitVRLittleEndian))


def test_a_file_deflated_twice_is_not_inflated_twice(dicom: MakeFile) -> None:
    data = dicom(film(), DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(data[140:144], "little")
    again = b"\x02\x00\x10\x00UI\x16\x00" + DeflatedExplicitVRLittleEndian.encode() + data[start:]
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    with pytest.raises(ImagingError, match="more than once"):
        read_radiograph(data[:start] + deflater.compress(again) + deflater.flush())


def test_a_deflated_file_that_is_cut_off_says_so(dicom: MakeFile) -> None:
    with pytest.raises(ImagingError, match="cut off"):
        read_radiograph(dicom(film(), DeflatedExplicitVRLittleEndian)[:-500])


@pytest.mark.parametrize("name", ["JPEG process 14 SV1", "JPEG-LS", "JPEG 2000", "HTJ2K"])
def test_a_codestream_of_another_size_is_not_decoded(name: str) -> None:
    syntax, encode = LOSSLESS[name]
    data = encoded(film(), syntax, encode, Rows=9_000, Columns=5_000)
    began = time.perf_counter()
    with pytest.raises(ImagingError, match="another size"):
        read_radiograph(data)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("name", ["RLE", "JPEG process 14 SV1", "JPEG-LS", "JPEG 2000", "HTJ2K"])
def test_a_frame_that_is_cut_off_is_not_filled_up_with_grey(name: str, dicom: MakeFile) -> None:
    syntax, encode = LOSSLESS[name]
    frame = bytes(encode(film())) if encode else _frame(dicom(film(), syntax))
    with pytest.raises(ImagingError):
        read_radiograph(dicom(film(), syntax, codestream=frame[: len(frame) // 2], stored=12))


def test_too_many_tiles_are_not_made_room_for(dicom: MakeFile) -> None:
    frame = bytearray(jpeg_2000(film(1024, 1024)))
    frame[24:32] = (1).to_bytes(4, "big") * 2
    with pytest.raises(ImagingError, match="tiles"):
        read_radiograph(dicom(film(1024, 1024), JPEG2000Lossless, codestream=bytes(frame)))


@pytest.mark.parametrize("frame", [b"\xff\xd8\xff", b"\xff\xd8\xff\xd9", b"\xff\x4f\xff\x51", bytes(500)])
def test_what_is_no_codestream_is_no_film(dicom: MakeFile, frame: bytes) -> None:
    with pytest.raises(ImagingError):
        read_radiograph(dicom(film(), JPEGBaseline8Bit, codestream=frame))


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.100", "1.2.840.99999.1.2.4.100"], ids=["MPEG-2", "unknown"])
def test_what_is_not_decoded_here_may_be_converted_elsewhere(dicom: MakeFile, uid: str) -> None:
    data = dicom(film(), UID("1.2.840.10008.1.2.4.100"), codestream=b"\0" * 100)
    with pytest.raises(UnsupportedSyntax):
        read_radiograph(data.replace(b"1.2.840.10008.1.2.4.100", uid.encode()))


# Real files, as others decoded them


def real() -> Iterator[Any]:
    if DATA.exists():
        with (DATA / "index.csv").open(newline="") as file:
            yield from (pytest.param(row, id=row["file"][-30:]) for row in csv.DictReader(file))


@pytest.mark.skipif(not DATA.exists(), reason="needs the real DICOM files: set SIGHTLINE_DATA")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("row", list(real()))
def test_a_real_file_has_the_values_that_pydicom_found(row: dict[str, str]) -> None:
    data = (DATA / row["file"]).read_bytes()
    found = re.match(r"ok (-?\d+)\.\.(-?\d+)", row["decode_pydicom"])
    if not found or data[128:132] != b"DICM" or row["bits_alloc"] == "1":
        _is_a_film_or_refused(data)
        return
    low, high = map(int, found.groups())
    values = _stored(_dataset(data))
    # Two decoders of lossy JPEG may differ by one, and later frames may have other values than the first.
    assert values.min() >= low - 1
    assert values.max() <= high + 1
    if row["frames"] in ("", "1"):
        assert values.min() <= low + 1
        assert values.max() >= high - 1


def _is_a_film_or_refused(data: bytes) -> None:
    try:
        pixels = read_radiograph(data).pixels
    except ImagingError:
        return
    assert 0 <= pixels.min() < pixels.max() <= 1


@pytest.mark.skipif(not DATA.exists(), reason="needs the real DICOM files: set SIGHTLINE_DATA")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_one_real_slice_is_the_same_in_every_lossless_syntax() -> None:
    names = [
        "BigEndianExplicit",
        "DeflatedExplicitVRLittleEndian",
        "RLELossless",
        "JPEGProcess14TransferSyntax",
        "JPEGLSLossless",
        "JPEG2000LosslessOnly",
    ]
    first, *others = (next((DATA / "cornerstone").glob(f"*CTImage.dcm_{name}*")).read_bytes() for name in names)
    for other in others:
        np.testing.assert_array_equal(read_radiograph(first).pixels, read_radiograph(other).pixels)


def _dataset(data: bytes) -> Any:
    return dcmread(BytesIO(deflated.inflated(data)))


def _stored(dataset: Any) -> Picture:
    """The values as stored (PS3.5 8.1.1), or the samples of a colour image."""
    pixels = decoded(dataset)
    if pixels.ndim == 3:
        return pixels
    native = pixels.astype(pixels.dtype.newbyteorder("="))
    table = stored_values(dataset, 8 * native.itemsize)
    return np.asarray(table[native.view(f"u{native.itemsize}")].astype(np.int64))


def _frame(data: bytes) -> bytes:
    from pydicom.encaps import get_frame

    return get_frame(_dataset(data).PixelData, 0, number_of_frames=1)
