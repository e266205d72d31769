"""One image from the PACS, converted by the PACS where we cannot decode it ourselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydicom.uid import ExplicitVRLittleEndian

from cds.errors import ImagingError, NothingToScore, UnsupportedSyntax, UpstreamError
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.pixels import Described
from cds.imaging.selection import Candidate, Choice, choose, counted

MOST_FILES = 3
"""So many of a study are fetched until one is what the search said."""


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
    if refusal := _refusal(film):
        raise ImagingError(f"the image cannot be scored: {refusal}")
    return film


def retrieve_best(
    pacs: DICOMweb, study_uid: str, instances: Sequence[Mapping[str, Any]], decode: Callable[[bytes], Film]
) -> tuple[Choice, Film]:
    """The best radiograph among the study's ``instances``, as their files say: many a search tells no view.

    Raises what :func:`fetch` does, and :class:`NothingToScore` where the best are no frontal chest radiographs.
    """
    refused: dict[str, str] = {}
    while len(refused) < MOST_FILES:
        choice = choose(instances, refused)
        film = fetch(pacs, study_uid, choice.series_uid, choice.instance_uid, decode)
        if not (refusal := _refusal(film)):
            return choice, film
        refused[choice.instance_uid] = refusal
    raise NothingToScore(f"no frontal chest radiograph ({', '.join(counted(refused.values()))})")


def _refusal(film: Described) -> str:
    """Why the film cannot be scored, as its file says; empty where it can."""
    return Candidate(film.series_uid, film.instance_uid, film.modality, film.body_part, film.view).refusal
