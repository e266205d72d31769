"""A film as a model reads it: a small picture, what may be said about it, and where in the film it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cds.engine.quality import QualityGate
from cds.imaging.framing import OVERSAMPLING, Placement, fitted, placement
from cds.imaging.grayscale import Grey
from cds.imaging.pixels import Described, read_radiograph


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Film(Described):
    """What :func:`read_film` leaves of a file."""

    picture: Grey
    """(height, width) as the bundle's ``input`` asks, 0..1."""
    place: Placement
    """Of the picture on the film, in pixels of ``shape``."""
    shape: tuple[int, int]
    """(rows, columns) of the film as it was decoded."""
    quality: tuple[str, ...]
    """What puts it in doubt (:mod:`cds.engine.quality`)."""


def read_film(data: bytes, asked: Mapping[str, Any], judge: QualityGate) -> Film:
    """A DICOM file framed as a bundle's ``input`` asks, decoded no finer than that takes, and judged.

    Raises :class:`~cds.errors.ImagingError` with the reason for anything that is not a usable film.
    """
    radiograph = read_radiograph(data, at_least=OVERSAMPLING * asked["height"])
    pixels = radiograph.pixels
    place = placement(pixels, asked)
    picture = fitted(pixels, place, asked)
    return Film(
        **{field.name: getattr(radiograph, field.name) for field in fields(Described)},
        picture=picture,
        place=place,
        shape=(pixels.shape[0], pixels.shape[1]),
        quality=judge(picture),
    )
