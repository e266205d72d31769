"""What a codestream says of itself."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from cds.errors import ImagingError
from cds.imaging.codestream import Codestream

FILM = np.arange(120 * 80, dtype=np.uint16).reshape(120, 80) % 4096
COLOUR = np.zeros((120, 80, 3), np.uint8)

STREAMS = {
    "JPEG baseline": (imagecodecs.jpeg8_encode((FILM >> 4).astype(np.uint8)), 1, 8),
    "JPEG baseline, colour": (imagecodecs.jpeg8_encode(COLOUR), 3, 8),
    "JPEG extended": (imagecodecs.jpeg8_encode(FILM, bitspersample=12), 1, 12),
    "JPEG lossless": (imagecodecs.jpeg8_encode(FILM, lossless=True, bitspersample=16), 1, 16),
    "JPEG-LS": (imagecodecs.jpegls_encode(FILM), 1, 16),
    "JPEG 2000": (imagecodecs.jpeg2k_encode(FILM, codecformat="J2K"), 1, 16),
    "JP2 file": (imagecodecs.jpeg2k_encode(FILM, codecformat="JP2"), 1, 16),
    "HTJ2K": (imagecodecs.htj2k_encode(FILM), 1, 16),
}


@pytest.mark.parametrize(("stream", "samples", "bits"), STREAMS.values(), ids=STREAMS)
def test_its_size_is_read(stream: bytes, samples: int, bits: int) -> None:
    assert Codestream.read(bytes(stream)) == Codestream(120, 80, samples, bits)


@pytest.mark.parametrize(("stream", "samples", "bits"), STREAMS.values(), ids=STREAMS)
def test_a_header_that_ends_too_soon_is_refused(stream: bytes, samples: int, bits: int) -> None:
    for length in range(0, 20):
        with pytest.raises(ImagingError):
            Codestream.read(bytes(stream)[:length])


def test_subsampled_components_are_refused() -> None:
    stream = bytearray(imagecodecs.jpeg2k_encode(FILM, codecformat="J2K"))
    stream[43:45] = 2, 2
    with pytest.raises(ImagingError, match="subsampled"):
        Codestream.read(bytes(stream))
