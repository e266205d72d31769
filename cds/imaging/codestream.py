"""What a compressed frame says of itself, read from its header before any decoder sees it.

JPEG and JPEG-LS: ITU-T T.81 B.2.2 and T.87 C.2.2. JPEG 2000: ISO/IEC 15444-1 A.5.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cds.errors import ImagingError

MAX_TILES = 4_096
"""A decoder keeps some kilobytes for each tile that a header promises, whether or not it is there."""

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
"""SOF0 to SOF15 but for DHT, JPG and DAC, which lie between them; SOF55 is that of JPEG-LS."""
_J2K = b"\xff\x4f\xff\x51"
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True, slots=True)
class Codestream:
    """The size of the picture in a codestream."""

    rows: int
    columns: int
    samples: int
    bits: int
    """Per sample."""

    @classmethod
    def read(cls, frame: bytes) -> Codestream:
        """Raise :class:`ImagingError` where ``frame`` does not begin as JPEG, JPEG-LS or JPEG 2000 does."""
        try:
            if frame[:2] == bytes((0xFF, _SOI)):
                return _jpeg(frame)
            # Some devices put the whole JP2 file where PS3.5 A.4.4 asks for the codestream alone.
            start = frame.find(_J2K, 0, 4_096) if frame.startswith(_JP2_SIGNATURE) else 0
            if start >= 0 and frame.startswith(_J2K, start):
                return _jpeg2000(frame, start)
        except (struct.error, IndexError):
            pass
        raise ImagingError("the compressed frame has no header that can be read")


def _jpeg(frame: bytes) -> Codestream:
    position = 2
    while True:
        while frame[position] == 0xFF and frame[position + 1] == 0xFF:
            position += 1
        marker, code, length = struct.unpack_from(">BBH", frame, position)
        if marker != 0xFF or code in (_SOS, _EOI) or length < 2:
            raise IndexError
        if code in _FRAME_HEADERS:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", frame, position + 4)
            return Codestream(rows, columns, samples, bits)
        position += 2 + length


def _jpeg2000(frame: bytes, start: int) -> Codestream:
    right, bottom, left, top, *tiles, samples = struct.unpack_from(">8LH", frame, start + 8)
    tile_width, tile_height, tile_left, tile_top = tiles
    if not (tile_width and tile_height and right > left >= tile_left and bottom > top >= tile_top):
        raise IndexError
    if -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height) > MAX_TILES:
        raise ImagingError("the compressed frame is cut into too many tiles")
    deepest = 0
    for sample in range(min(samples, 3)):
        depth, step_across, step_down = frame[start + 42 + 3 * sample : start + 45 + 3 * sample]
        if (step_across, step_down) != (1, 1):
            raise ImagingError("the compressed frame has subsampled components")
        deepest = max(deepest, (depth & 0x7F) + 1)
    return Codestream(bottom - top, right - left, samples, deepest)
