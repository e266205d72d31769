"""One film from the PACS, converted by the PACS where we cannot decode it ourselves."""

from __future__ import annotations

from pydicom.uid import ExplicitVRLittleEndian

from cds.errors import ImagingError, UnsupportedSyntax, UpstreamError
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.pixels import Radiograph, read_radiograph
from cds.imaging.selection import Candidate


def retrieve(pacs: DICOMweb, study_uid: str, series_uid: str, sop_uid: str, *, at_least: int) -> Radiograph:
    """The radiograph, its shorter side at least ``at_least`` pixels where the film has them.

    Raises a leaf of :class:`UpstreamError`, or :class:`ImagingError` where the film cannot be used, is another
    than the one that was asked for, or is not what the search said: the file has the last word.
    """
    try:
        film = read_radiograph(pacs.instance(study_uid, series_uid, sop_uid), at_least=at_least)
    except UnsupportedSyntax as unsupported:
        try:
            converted = pacs.instance(study_uid, series_uid, sop_uid, transfer_syntax=ExplicitVRLittleEndian)
        except UpstreamError:
            raise unsupported from None
        film = read_radiograph(converted, at_least=at_least)
    if (film.study_uid, film.series_uid, film.instance_uid) != (study_uid, series_uid, sop_uid):
        raise ImagingError("the PACS sent another image than the one that was asked for")
    stated = Candidate(film.series_uid, film.instance_uid, film.modality, film.body_part, film.view)
    if stated.refusal:
        raise ImagingError(f"the image cannot be scored: {stated.refusal}")
    return film
