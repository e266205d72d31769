"""One image from the PACS, converted by the PACS where we cannot decode it ourselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from pydicom.uid import ExplicitVRLittleEndian

from cds.errors import ImagingError, UnsupportedSyntax, UpstreamError
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.pixels import Described
from cds.imaging.selection import Candidate


class Instance(Protocol):
    """A decoded image, such as a film or a slice of a CT."""

    @property
    def study_uid(self) -> str: ...
    @property
    def series_uid(self) -> str: ...
    @property
    def instance_uid(self) -> str: ...


Image = TypeVar("Image", bound=Instance)
Film = TypeVar("Film", bound=Described)


def fetch(
    pacs: DICOMweb, study_uid: str, series_uid: str, sop_uid: str, decode: Callable[[bytes], Image]
) -> Image:
    """The image that was asked for and no other, whatever it shows.

    Raises a leaf of :class:`UpstreamError`, or :class:`ImagingError` where ``decode`` does or it is another.
    """
    try:
        image = decode(pacs.instance(study_uid, series_uid, sop_uid))
    except UnsupportedSyntax as unsupported:
        try:
            converted = pacs.instance(study_uid, series_uid, sop_uid, transfer_syntax=ExplicitVRLittleEndian)
        except UpstreamError:
            raise unsupported from None
        image = decode(converted)
    if (image.study_uid, image.series_uid, image.instance_uid) != (study_uid, series_uid, sop_uid):
        raise ImagingError("the PACS sent another image than the one that was asked for")
    return image


def retrieve(
    pacs: DICOMweb, study_uid: str, series_uid: str, sop_uid: str, decode: Callable[[bytes], Film]
) -> Film:
    """The radiograph, read by ``decode``, which is :func:`~cds.imaging.pixels.read_radiograph` or calls it.

    Raises what :func:`fetch` does, and :class:`ImagingError` where the film is not what the search said: the file
    has the last word.
    """
    film = fetch(pacs, study_uid, series_uid, sop_uid, decode)
    stated = Candidate(film.series_uid, film.instance_uid, film.modality, film.body_part, film.view)
    if stated.refusal:
        raise ImagingError(f"the image cannot be scored: {stated.refusal}")
    return film
