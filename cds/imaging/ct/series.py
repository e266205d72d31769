"""Which series of a CT study is read, and its slices from the PACS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cds.errors import ImagingError
from cds.imaging.ct.slice import Slice
from cds.imaging.ct.volume import FEWEST
from cds.imaging.derived import WARNING
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.retrieval import fetch
from cds.imaging.selection import (
    BODY_PART,
    CHEST,
    MODALITY,
    SERIES_DESCRIPTION,
    SERIES_NUMBER,
    SERIES_UID,
    SOP_CLASS,
    SOP_UID,
    code_in,
    counted,
    number_in,
    text_in,
)

BODY_PARTS: Mapping[str, tuple[str, ...]] = {
    "head": ("HEAD", "BRAIN", "SKULL"),
    "neck": ("NECK",),
    "chest": CHEST,
    "spine": ("SPINE",),
    "abdomen": ("ABDOMEN", "LIVER", "KIDNEY"),
    "pelvis": ("PELVIS",),
}
"""Body Part Examined (0018,0015), or what is in it, by the parts of the body that a CT bundle names."""
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
INSTANCES_IN_SERIES = "00201209"
MOST_SLICES = 600
"""A whole head in half millimetres has about 400."""
MOST_PIXELS = 160_000_000
"""Of all slices together: 600 of 512 x 512, in two bytes each."""
FETCHED_AT_ONCE = 6
"""Requests to one PACS."""


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """The series to score, and what else there was."""

    series_uid: str
    passed_over: tuple[str, ...]


def choose_series(series: Iterable[Mapping[str, Any]], region: str) -> SeriesChoice:
    """Choose among the DICOM JSON ``series`` of a study: of the CTs of ``region`` the one that was made first.

    Scanners count up: what was reconstructed otherwise, or reformatted, comes after. Raises
    :class:`ImagingError` where there is none, saying what there was.
    """
    theirs = [one for one in series if text_in(one, SERIES_DESCRIPTION) != WARNING]
    refused = [reason for one in theirs if (reason := _refusal(one, region))]
    usable = [one for one in theirs if not _refusal(one, region)]
    if not usable:
        raise ImagingError(f"no CT of the {region} ({', '.join(counted(refused)) or 'the study has no series'})")
    first = min(usable, key=lambda one: number_in(one, SERIES_NUMBER))
    others = ["later CT series"] * (len(usable) - 1)
    return SeriesChoice(text_in(first, SERIES_UID), tuple(counted([*others, *refused])))


def _refusal(series: Mapping[str, Any], region: str) -> str:
    """Why a series cannot be scored, in few words; empty where it can."""
    if not text_in(series, SERIES_UID):
        return "series without a UID"
    if (modality := code_in(series, MODALITY)) != "CT":
        return f"{modality or 'unknown modality'}, not a CT"
    if not shows(code_in(series, BODY_PART), region):
        return "CT of another body part"
    count = number_in(series, INSTANCES_IN_SERIES) or FEWEST
    if count < FEWEST:
        return "localizer or single slice"
    return f"CT of more than {MOST_SLICES} slices" if count > MOST_SLICES else ""


def shows(body_part: str, region: str) -> bool:
    """Whether a stated Body Part Examined may be that part of the body; one that is not stated may."""
    return not body_part or any(part in body_part for part in BODY_PARTS[region])


def retrieve_series(
    pacs: DICOMweb, study_uid: str, series_uid: str, region: str, decode: Callable[[bytes], Slice]
) -> list[Slice]:
    """Every slice of the series, fetched several at once; none may be missing, for it may be the one that counts.

    ``decode`` is :func:`~cds.imaging.ct.slice.read_slice` or calls it. Raises a leaf of
    :class:`~cds.errors.UpstreamError`, or :class:`ImagingError` where a slice cannot be used or they are too many.
    """
    matches = pacs.instances(study_uid, series_uid)
    # What is stated to be another kind of object, such as a dose report's picture, is no slice.
    uids = dict.fromkeys(text_in(m, SOP_UID) for m in matches if text_in(m, SOP_CLASS) in ("", CT_IMAGE))
    if len(uids) > MOST_SLICES:
        raise ImagingError(f"the series has more than {MOST_SLICES} slices")

    def slice_of(uid: str) -> Slice:
        return fetch(pacs, study_uid, series_uid, uid, decode)

    slices: list[Slice] = []
    pixels = 0
    pool = ThreadPoolExecutor(FETCHED_AT_ONCE, "slices")
    try:
        for one in pool.map(slice_of, uids):
            _check(one, region)
            pixels += one.hounsfield.size
            if pixels > MOST_PIXELS:
                raise ImagingError("the series has more pixels than are read at once")
            slices.append(one)
    finally:
        pool.shutdown(cancel_futures=True)
    return slices


def _check(one: Slice, region: str) -> None:
    """The file has the last word."""
    if one.modality != "CT":
        raise ImagingError(f"the series cannot be scored: {one.modality or 'unknown modality'}, not a CT")
    if not shows(one.body_part, region):
        raise ImagingError("the series cannot be scored: CT of another body part")
