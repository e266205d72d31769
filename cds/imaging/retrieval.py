"""One film from the PACS, converted by the PACS where we cannot decode it ourselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydicom.uid import ExplicitVRLittleEndian

from cds.errors import ImagingError, UnsupportedSyntax, UpstreamError
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.pixels import Described
from cds.imaging.selection import Candidate

Film = TypeVar("Film", bound=Described)


def retrieve(
    pacs: DICOMweb, study_uid: str, series_uid: str, sop_uid: str, decode: Callable[[bytes], Film]
) -> Film:
    """The film as ``decode`` reads it: :func:`~cds.imaging.pixels.read_radiograph`, or something that calls it.

    Raises a leaf of :class:`UpstreamError`, or :class:`ImagingError` where the film cannot be used, is another
    than the one that was asked for, or is not what the search said: the file has the last word.
    """
    try:
        film = decode(pacs.instance(study_uid, series_uid, sop_uid))
    except UnsupportedSyntax as unsupported:
        try:
            converted = pacs.instance(study_uid, series_uid, sop_uid, transfer_syntax=ExplicitVRLittleEndian)
        except UpstreamError:
            raise unsupported from None
        film = decode(converted)
    if (film.study_uid, film.series_uid, film.instance_uid) != (study_uid, series_uid, sop_uid):
        raise ImagingError("the PACS sent another image than the one that was asked for")
    stated = Candidate(film.series_uid, film.instance_uid, film.modality, film.body_part, film.view)
    if stated.refusal:
        raise ImagingError(f"the image cannot be scored: {stated.refusal}")
    return film
