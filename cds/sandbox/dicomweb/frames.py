"""WADO-RS: frames of an instance as they are stored, compressed or not (PS3.18 10.4.1.1.6)."""

from __future__ import annotations

import re

from flask import Response
from pydicom import Dataset
from pydicom.encaps import get_frame
from werkzeug.exceptions import NotAcceptable

from cds.errors import ImagingError, RequestError, Unknown
from cds.sandbox.archive import quietly
from cds.sandbox.dicomweb.negotiation import accepted, multipart
from cds.sandbox.dicomweb.wado import instances
from cds.sandbox.parts import sandbox

_RAW = "application/octet-stream"
_MAX_FRAMES = 100
_MEDIA_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
"""PS3.18 Table 8.7.3-5, by transfer syntax; all others are not compressed."""


def frames(study: str, series: str, instance: str, numbers: str) -> Response:
    """The frames ``numbers`` (``1`` or ``1,3``), counted from one."""
    (found,) = instances(study, series, instance)
    kind = _MEDIA_TYPES.get(found.transfer_syntax, _RAW)
    if not any(_takes(kind, *one) for one in accepted()):
        raise NotAcceptable(f'only multipart/related; type="{kind}" is served for this instance')
    dataset = sandbox().archive.dataset(found)
    if "PixelData" not in dataset:
        raise Unknown("the instance has no frames")
    with quietly("the frames cannot be read"):
        parts = [_frame(dataset, number) for number in _numbers(numbers)]
    content_type = f"{kind}; transfer-syntax={found.transfer_syntax}"
    return multipart(kind, [(content_type, content) for content in parts])


def _takes(kind: str, asked: str, options: dict[str, str]) -> bool:
    if asked in ("*/*", "multipart/*"):
        return True
    return asked == "multipart/related" and options.get("type", "*/*") in (kind, "*/*")


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"[1-9]\d{0,6}(,[1-9]\d{0,6})*", text) or text.count(",") >= _MAX_FRAMES:
        raise RequestError(f"frames are at most {_MAX_FRAMES} numbers from 1 on, with commas between them")
    return [int(number) for number in text.split(",")]


def _frame(dataset: Dataset, number: int) -> bytes:
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    if number > count:
        raise Unknown("the instance has no such frame")
    if dataset["PixelData"].is_undefined_length:
        return get_frame(dataset.PixelData, number - 1, number_of_frames=count)
    bits = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    if bits % 8:
        raise ImagingError("the instance's frames do not begin at whole bytes")
    length = bits // 8
    return bytes(dataset.PixelData[(number - 1) * length : number * length])
