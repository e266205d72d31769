"""WADO-RS: an instance as a picture to look at (PS3.18 10.4.1.1.3 "Rendered Resources")."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from flask import Response, request
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array
from werkzeug.exceptions import NotAcceptable

from cds.errors import ImagingError, RequestError, Unknown
from cds.sandbox.archive import quietly
from cds.sandbox.dicomweb.negotiation import accepted
from cds.sandbox.dicomweb.wado import instances
from cds.sandbox.parts import sandbox

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/*": "JPEG", "*/*": "JPEG"}
_MAX_SIDE, _MAX_PIXELS = 4096, 64 * 1024 * 1024


def rendered(study: str, series: str, instance: str, number: int = 1) -> Response:
    """One frame as JPEG or PNG; ``window=center,width,linear`` and ``viewport=width,height`` are understood."""
    (found,) = instances(study, series, instance)
    format = next((_FORMATS[kind] for kind, _ in accepted() if kind in _FORMATS), None)
    if format is None:
        raise NotAcceptable("only image/jpeg and image/png are rendered here")
    dataset = sandbox().archive.dataset(found)
    if "PixelData" not in dataset or not 1 <= number <= int(dataset.get("NumberOfFrames", 1) or 1):
        raise Unknown("the instance has no such frame")
    with quietly("the pixels cannot be decoded"):
        picture = Image.fromarray(_grey_or_colour(dataset, number - 1))
    if viewport := _numbers("viewport", 2):
        picture.thumbnail((_side(viewport[0]), _side(viewport[1])))
    buffer = BytesIO()
    picture.save(buffer, format)
    return Response(buffer.getvalue(), content_type=f"image/{format.lower()}")


def _grey_or_colour(dataset: Dataset, index: int) -> NDArray[np.uint8]:
    """8 bits per sample: (rows, columns), or (rows, columns, 3) for colour."""
    if dataset.Rows * dataset.Columns > _MAX_PIXELS:
        raise ImagingError("the image is too large to be rendered here")
    pixels = pixel_array(dataset, index=index)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    if pixels.ndim == 3:
        return (pixels >> 8 if pixels.dtype.itemsize > 1 else pixels).astype(np.uint8)
    values = apply_modality_lut(pixels, dataset).astype(np.float64)
    center, width = _window(dataset, values)
    # PS3.3 C.11.2.1.2.1, the linear function; a width of 1 is a threshold.
    grey = np.clip((values - (center - 0.5)) / max(width - 1, 1e-6) + 0.5, 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    return (grey * 255).round().astype(np.uint8)


def _window(dataset: Dataset, values: NDArray[np.float64]) -> tuple[float, float]:
    """Center and width: as asked, else the first of the instance, else all of its values."""
    if asked := _numbers("window", 3):
        return asked[0], asked[1]
    center, width = (_first(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if center is not None and width is not None and width >= 1:
        return center, width
    low, high = float(values.min()), float(values.max())
    return (low + high) / 2 + 0.5, high - low + 1


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    return float(value if isinstance(value, int | float | str) else value[0])


def _numbers(name: str, length: int) -> tuple[float, float] | None:
    """The first two of ``length`` comma-separated values of a query parameter; None where it is not given."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        first, second = (float(part) for part in text.split(",")[:2])
        if len(text.split(",")) != length or not second > 0 or not np.isfinite([first, second]).all():
            raise ValueError
    except ValueError:
        raise RequestError(f"{name} must be {length} values with commas between them") from None
    if length == 3 and not text.lower().endswith(",linear"):
        raise RequestError("window knows only the linear function")
    return first, second


def _side(value: float) -> int:
    return max(1, min(int(value), _MAX_SIDE))
