"""Radiographs that were exported as pictures, in the forms that viewers and converters write."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cds.errors import ImagingError
from cds.imaging.pictures import read_picture

RAMP = np.tile(np.linspace(0, 1, 256), (128, 1))


def exported(picture: Image.Image, form: str = "PNG") -> bytes:
    file = BytesIO()
    picture.save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_sixteen_bits_are_as_many_as_are_used(bits: int) -> None:
    values = (RAMP * ((1 << bits) - 1)).round().astype(np.uint16)
    assert read_picture(exported(Image.fromarray(values))) == pytest.approx(RAMP, abs=1e-3)


@pytest.mark.parametrize(("mode", "form"), [("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("CMYK", "JPEG")])
def test_colours_become_grey(mode: str, form: str) -> None:
    grey = Image.fromarray((RAMP * 255).round().astype(np.uint8))
    assert read_picture(exported(grey.convert(mode), form)) == pytest.approx(RAMP, abs=0.02)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4", exported(Image.new("L", (99, 99)), "TIFF")])
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ImagingError, match="no DICOM, PNG or JPEG file"):
        read_picture(data)
