"""``read_radiograph``: whatever the file's form, the same film comes out; what is no film is refused, and why."""

from __future__ import annotations

import time
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.uid import JPEG2000Lossless

from cds.errors import ImagingError
from cds.imaging.pixels import MAX_PIXELS, read_radiograph

from .conftest import MakeFile, make_file

WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def middle(data: bytes) -> NDArray[np.float32]:
    """The grey values along the middle row."""
    pixels = read_radiograph(data).pixels
    return pixels[len(pixels) // 2]


def film(size: int = 512) -> NDArray[np.uint16]:
    """A smooth 12-bit picture with a little grain."""
    y, x = np.mgrid[0:size, 0:size] / size
    smooth = 2000 + 1200 * np.sin(7 * x) * np.cos(5 * y) + np.random.default_rng(3).normal(0, 20, (size, size))
    return np.clip(smooth, 0, 4095).astype(np.uint16)


# The form that the pixels come in


@pytest.mark.parametrize(
    ("dtype", "stored"), [("u1", 8), ("u2", 10), ("u2", 12), ("u2", 16), ("i2", 12), ("i2", 16)]
)
def test_any_depth_and_sign_spans_black_to_white(dicom: MakeFile, dtype: str, stored: int) -> None:
    lowest = -(1 << (stored - 1)) if dtype[0] == "i" else 0
    values = lowest + np.linspace(0, (1 << stored) - 1, 256).astype(np.int64)
    row = middle(dicom(np.tile(values, (128, 1)).astype(dtype), stored=stored))
    np.testing.assert_allclose(row, np.linspace(0, 1, 256), atol=0.02)


def test_bits_above_the_high_bit_are_an_overlay_and_not_the_picture(
    dicom: MakeFile, ramp: NDArray[np.uint16]
) -> None:
    overlaid = ramp.copy()
    overlaid[:, ::3] |= 0xF000
    np.testing.assert_array_equal(
        middle(dicom(overlaid, stored=12, **WINDOW)), middle(dicom(ramp, stored=12, **WINDOW))
    )


@pytest.mark.parametrize("high", [11, 13, 15])
def test_the_high_bit_says_which_bits_are_the_picture(
    dicom: MakeFile, ramp: NDArray[np.uint16], high: int
) -> None:
    shifted = ramp << (high - 11)
    read = read_radiograph(dicom(shifted, stored=12, HighBit=high))
    assert np.array_equal(read.pixels, read_radiograph(dicom(ramp, stored=12)).pixels)


def test_monochrome1_is_turned_round(dicom: MakeFile, ramp: NDArray[np.uint16]) -> None:
    inverse = dicom(ramp, stored=12, PhotometricInterpretation="MONOCHROME1", **WINDOW)
    np.testing.assert_allclose(middle(inverse), 1 - middle(dicom(ramp, stored=12, **WINDOW)), atol=1e-6)
    assert read_radiograph(inverse).photometric == "MONOCHROME1"


def test_of_many_frames_the_first_is_read(dicom: MakeFile, ramp: NDArray[np.uint16]) -> None:
    frames = np.stack([ramp, ramp[:, ::-1], ramp // 2])
    np.testing.assert_array_equal(
        middle(dicom(frames, stored=12, **WINDOW)), middle(dicom(ramp, stored=12, **WINDOW))
    )
    assert read_radiograph(dicom(frames, stored=12)).frames == 3


def test_a_palette_becomes_its_luma(dicom: MakeFile) -> None:
    indices = np.tile(np.repeat(np.arange(3, dtype=np.uint8), 64), (128, 1))
    palettes: dict[str, Any] = {}
    for place, colour in enumerate(("Red", "Green", "Blue")):
        entries = np.zeros(3, np.uint16)
        entries[place] = 0xFFFF
        palettes[f"{colour}PaletteColorLookupTableDescriptor"] = [3, 0, 16]
        palettes[f"{colour}PaletteColorLookupTableData"] = entries.tobytes()
    row = middle(dicom(indices, PhotometricInterpretation="PALETTE COLOR", **palettes))
    np.testing.assert_allclose(row[[0, 64, 128]], [0.299, 0.587, 0.114], atol=1e-5)


@pytest.mark.parametrize("planar", [0, 1])
def test_planes_and_interleaved_samples_are_the_same_picture(dicom: MakeFile, planar: int) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (128, 96, 3), dtype=np.uint8)
    ordered = np.moveaxis(colours, 2, 0).reshape(128, 96, 3) if planar else colours
    pixels = read_radiograph(dicom(ordered, PlanarConfiguration=planar)).pixels
    np.testing.assert_allclose(pixels, colours @ np.array([0.299, 0.587, 0.114]) / 255, atol=1e-5)


def test_colour_becomes_its_luma(dicom: MakeFile) -> None:
    colours = np.zeros((128, 192, 3), np.uint8)
    colours[:, :64, 0] = colours[:, 64:128, 1] = colours[:, 128:, 2] = 255
    np.testing.assert_allclose(middle(dicom(colours))[[0, 64, 128]], [0.299, 0.587, 0.114], atol=1e-5)


# The grayscale pipeline


def test_the_modality_lut_comes_before_the_window(dicom: MakeFile, ramp: NDArray[np.uint16]) -> None:
    rescaled = dicom(ramp, stored=12, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3096, WindowWidth=8192)
    np.testing.assert_allclose(middle(rescaled), middle(dicom(ramp, stored=12, **WINDOW)), atol=1e-3)


@pytest.mark.parametrize(
    ("function", "at"),
    [
        ("LINEAR", lambda x: np.clip((x - 1999.5) / 999 + 0.5, 0, 1)),
        ("LINEAR_EXACT", lambda x: np.clip((x - 2000) / 1000 + 0.5, 0, 1)),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 2000) / 1000))),
    ],
)
def test_a_window_is_the_function_of_ps3_3_c_11_2(
    dicom: MakeFile, ramp: NDArray[np.uint16], function: str, at: Any
) -> None:
    row = middle(dicom(ramp, stored=12, WindowCenter=2000, WindowWidth=1000, VOILUTFunction=function))
    np.testing.assert_allclose(row, at(ramp[0].astype(float)), atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_a_window_of_real_units_may_be_narrower_than_one(
    dicom: MakeFile, ramp: NDArray[np.uint16], function: str
) -> None:
    fine = {"RescaleSlope": 1 / 4096, "RescaleIntercept": 0, "WindowCenter": 0.5, "WindowWidth": 0.25}
    plain = {"WindowCenter": 2048, "WindowWidth": 1024}
    narrow, wide = (middle(dicom(ramp, stored=12, VOILUTFunction=function, **at)) for at in (fine, plain))
    np.testing.assert_allclose(narrow, wide, atol=1e-3)


def test_of_several_windows_the_first_is_used(dicom: MakeFile, ramp: NDArray[np.uint16]) -> None:
    several = dicom(ramp, stored=12, WindowCenter=[2048, 40], WindowWidth=[4096, 80])
    np.testing.assert_array_equal(middle(several), middle(dicom(ramp, stored=12, **WINDOW)))


def test_a_voi_lut_goes_before_a_window(dicom: MakeFile, ramp: NDArray[np.uint16]) -> None:
    entries = (np.arange(4096) ** 2 / 4095).astype(int).tolist()
    item = _lut([4096, 0, 12], entries)
    row = middle(dicom(ramp, stored=12, VOILUTSequence=[item], WindowCenter=40, WindowWidth=80))
    np.testing.assert_allclose(row, (ramp[0] / 4095) ** 2, atol=1e-3)


def test_values_beyond_a_lut_take_its_last_entry(dicom: MakeFile, ramp: NDArray[np.uint16]) -> None:
    row = middle(dicom(ramp, stored=12, ModalityLUTSequence=[_lut([1001, 1000, 16], list(range(1001)))]))
    assert row[ramp[0] <= 1000].max() < 0.01
    assert row[ramp[0] >= 2000].min() > 0.99


@pytest.mark.parametrize(
    "window", [{}, {"WindowCenter": 100, "WindowWidth": 0}, {"WindowCenter": "", "WindowWidth": ""}]
)
def test_without_a_usable_window_the_percentiles_of_the_film_are_taken(
    dicom: MakeFile, window: dict[str, Any]
) -> None:
    dim = film() // 4 + 300
    dim[5, 5] = 4095
    pixels = read_radiograph(dicom(dim, stored=12, **window)).pixels
    assert np.percentile(pixels, 2) < 0.1
    assert np.percentile(pixels, 98) > 0.9


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_counts_for_nothing(dicom: MakeFile, photometric: str) -> None:
    picture = film() // 4 + 1000
    padded = picture.copy()
    padded[:, :200] = 4095
    kind = {"stored": 12, "PhotometricInterpretation": photometric}
    pixels = read_radiograph(dicom(padded, **kind, PixelPaddingValue=4000, PixelPaddingRangeLimit=4095)).pixels
    plain = read_radiograph(dicom(picture[:, 200:], **kind)).pixels
    assert not pixels[:, :200].any()
    np.testing.assert_allclose(pixels[:, 200:].mean(), plain.mean(), atol=0.01)


@pytest.mark.parametrize(("sign", "vr"), [("u2", "SS"), ("i2", "US")])
def test_padding_is_found_whatever_sign_it_was_written_with(dicom: MakeFile, sign: str, vr: str) -> None:
    outside = 63_536 if sign == "u2" else -2_000
    picture = (film() // 4).astype(sign)
    picture[:, :200] = outside
    data = dicom(picture, PixelPaddingValue=outside)
    written, other = (b"US", b"SS") if vr == "SS" else (b"SS", b"US")
    odd = data.replace(b"\x28\x00\x20\x01" + written, b"\x28\x00\x20\x01" + other)
    assert odd != data
    assert np.array_equal(read_radiograph(odd).pixels, read_radiograph(data).pixels)
    assert not read_radiograph(odd).pixels[:, :200].any()


# JPEG 2000 at the size that is needed


@pytest.mark.parametrize(("kind", "signed"), [("u2", False), ("i2", True)])
def test_a_reduced_film_is_the_film_averaged(dicom: MakeFile, kind: str, signed: bool) -> None:
    picture = (film(1024).astype(np.int32) - (2048 if signed else 0)).astype(kind)
    window = {"WindowCenter": 0 if signed else 2048, "WindowWidth": 4096}
    data = dicom(picture, JPEG2000Lossless, stored=12, **window)
    reduced = read_radiograph(data, at_least=224)
    averaged = read_radiograph(data).pixels.reshape(256, 4, 256, 4).mean((1, 3))
    assert reduced.pixels.shape == (256, 256)
    assert (reduced.rows, reduced.columns) == (1024, 1024)
    assert np.abs(reduced.pixels - averaged).mean() < 0.004


def test_a_film_is_never_reduced_below_what_is_asked(dicom: MakeFile) -> None:
    data = dicom(film(400), JPEG2000Lossless, stored=12)
    assert read_radiograph(data, at_least=224).pixels.shape == (400, 400)


# What may be said about a film


def test_nothing_that_identifies_a_person_leaves_the_file(dicom: MakeFile) -> None:
    radiograph = read_radiograph(dicom(film(), BodyPartExamined="Jane Doe, 4711!", BurnedInAnnotation="YES"))
    said = " ".join(str(value) for value in astuple(radiograph)[1:])
    assert radiograph.body_part == ""
    assert radiograph.burned_in is True
    assert "Doe" not in said
    assert "4711" not in said


# What is refused


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Rows": 60_000, "Columns": 60_000}, "too large"),
        ({"NumberOfFrames": 100_000}, "too large"),
        ({"Rows": 32, "Columns": 32}, "too small"),
        ({"PhotometricInterpretation": "HSV"}, "photometric"),
        ({"SamplesPerPixel": 3}, "photometric"),
        ({"BitsAllocated": 32}, "32 bits"),
        ({"HighBit": 3}, "bits stored"),
        ({"Rows": 513}, "cannot be decoded"),
        ({"Rows": 400}, "more pixels than its header says"),
        *(
            ({"RescaleSlope": slope, "RescaleIntercept": 0}, "rescale slope")
            for slope in ("nan", "inf", "0", "1e300")
        ),
        ({"RescaleSlope": 1, "RescaleIntercept": "nan"}, "rescale slope"),
        ({"BitsStored": 0}, "0 bits stored"),
        ({"BitsStored": 18}, "18 bits stored"),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 65535}, "padding"),
    ],
)
def test_a_header_that_does_not_fit_is_named(dicom: MakeFile, attributes: dict[str, Any], reason: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ImagingError, match=reason):
        read_radiograph(dicom(film(), **attributes))
    assert time.perf_counter() - began < 1


def test_a_lookup_table_without_entries_makes_no_film(dicom: MakeFile, ramp: NDArray[np.uint16]) -> None:
    with pytest.raises(ImagingError, match="lookup table of the image is empty"):
        read_radiograph(dicom(ramp, stored=12, VOILUTSequence=[_lut([4096, 0, 12], [])]))


def test_a_lookup_table_that_is_shorter_than_it_says_makes_no_film(
    dicom: MakeFile, ramp: NDArray[np.uint16]
) -> None:
    with pytest.raises(ImagingError, match="fewer entries than it says"):
        read_radiograph(dicom(ramp, stored=12, VOILUTSequence=[_lut([4096, 0, 12], list(range(2048)))]))


def test_pixels_of_more_bits_than_the_header_says_are_not_cut_to_it(dicom: MakeFile) -> None:
    """What is left of 16 bits without the uppermost four is noise that looks like nothing, and would be scored."""
    with pytest.raises(ImagingError, match="more than the 12 bits"):
        read_radiograph(dicom(film() << 4, stored=12, **WINDOW))


def test_a_sign_may_go_on_above_the_high_bit(dicom: MakeFile) -> None:
    signed = film().astype(np.int16) - 3000
    middle = dicom(np.clip(signed, -2048, 2047), stored=12, WindowCenter=-1000, WindowWidth=2000)
    assert read_radiograph(middle).pixels.std() > 0.1


def test_a_blank_film_is_not_a_normal_film(dicom: MakeFile) -> None:
    with pytest.raises(ImagingError, match="blank"):
        read_radiograph(dicom(np.full((512, 512), 700, np.uint16), **WINDOW))


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", bytes(200), bytes(128) + b"DICM" + bytes(100)])
def test_what_is_no_dicom_file_is_refused(data: bytes) -> None:
    with pytest.raises(ImagingError):
        read_radiograph(data)


SAMPLE = make_file(film(64), JPEG2000Lossless, stored=12, **WINDOW)
NATIVE_SAMPLE = make_file(film(64), stored=12, **WINDOW)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([SAMPLE, NATIVE_SAMPLE]), st.data())
def test_a_damaged_file_is_a_film_or_an_imaging_error(sample: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(128, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(200, len(damaged)))
    try:
        pixels = read_radiograph(bytes(damaged[:cut]), at_least=64).pixels
    except ImagingError:
        return
    assert pixels.size <= MAX_PIXELS
    assert 0 <= pixels.min() <= pixels.max() <= 1


def _lut(descriptor: list[int], entries: list[int]) -> Any:
    from pydicom import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "US", entries)
    return item
