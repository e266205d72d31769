"""Deflated Explicit VR Little Endian (PS3.5 A.5), inflated with a limit."""

from __future__ import annotations

import zlib

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from cds.errors import ImagingError

MAX_INFLATED = 128 * 1024 * 1024
"""The largest film that is decoded, two bytes to a pixel, and room for its header."""

_UID = DeflatedExplicitVRLittleEndian.encode()
_PLAIN = ExplicitVRLittleEndian.encode().ljust(len(_UID), b"\0")
_GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_META = 132


def inflated(data: bytes) -> bytes:
    """The Part 10 file ``data``; where it is deflated, the same in Explicit VR Little Endian.

    pydicom inflates such a file whole, whatever it grows to: so it must not find the transfer syntax that would
    make it, wherever in the file that stands. Raises :class:`ImagingError` for a bomb and for a damaged file.
    """
    if _UID not in data:
        return data
    start = _META + 12 + int.from_bytes(data[_META + 8 : _META + 12], "little")
    if not data.startswith(_GROUP_LENGTH, _META) or _UID not in data[:start]:
        raise ImagingError("the DICOM file's header does not say whether it is deflated")
    body = _bounded(data[start:])
    if _UID in body:
        raise ImagingError("the DICOM file is deflated more than once")
    return data[:start].replace(_UID, _PLAIN) + body


def _bounded(deflated: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = inflater.decompress(deflated, MAX_INFLATED)
    except zlib.error:
        raise ImagingError("the deflated DICOM file is damaged") from None
    if inflater.unconsumed_tail:
        raise ImagingError("the DICOM file inflates to more than a film can have")
    if not inflater.eof:
        raise ImagingError("the deflated DICOM file is cut off")
    return body
