"""One film from the PACS, converted by the PACS where we cannot decode it ourselves."""

from __future__ import annotations

from pydicom.uid import ExplicitVRLittleEndian

from cds.errors import ImagingError, UnsupportedSyntax, UpstreamError
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.pixels import Radiograph, read_radiograph


def retrieve(pacs: DICOMweb, study_uid: str, series_uid: str, sop_uid: str, *, at_least: int) -> Radiograph:
    """The radiograph, its shorter side at least ``at_least`` pixels where the film has them.

    Raises a leaf of :class:`UpstreamError`, or :class:`ImagingError` where the film cannot be used, or is another
    than the one that was asked for.
    """
    wanted = (study_uid, series_uid, sop_uid)
    try:
        film = read_radiograph(pacs.instance(*wanted), at_least=at_least)
    except UnsupportedSyntax as unsupported:
        try:
            converted = pacs.instance(*wanted, transfer_syntax=ExplicitVRLittleEndian)
        except UpstreamError:
            raise unsupported from None
        film = read_radiograph(converted, at_least=at_least)
    if (film.study_uid, film.series_uid, film.instance_uid) != wanted:
        raise ImagingError("the PACS sent another image than the one that was asked for")
    return film
