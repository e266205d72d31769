"""Which series of a CT study is read, and its slices from the PACS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cds.errors import ImagingError, NothingToScore
from cds.imaging.ct.slice import MOST_PIXELS, MOST_SLICES, CtInstance, Slice
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
ENHANCED = (f"{CT_IMAGE}.1", f"{CT_IMAGE}.2")
"""Enhanced CT Image Storage, and its form for what was converted: many slices in one instance (PS3.4 B.5)."""
INSTANCES_IN_SERIES, FRAMES = "00201209", "00280008"
FETCHED_AT_ONCE = 6
"""Requests to one PACS."""


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """The series to score, and what else there was."""

    series_uid: str
    passed_over: tuple[str, ...]


def choose_series(
    series: Iterable[Mapping[str, Any]], region: str, instances: Callable[[str], Iterable[Mapping[str, Any]]]
) -> SeriesChoice:
    """Choose among the DICOM JSON ``series`` of a study: of the CTs of ``region`` the one that was made first.

    Scanners count up: what was reconstructed otherwise, or reformatted, comes after. ``instances`` finds those of
    a series, by its UID; it is asked of series so short that many slices must be in one. Raises
    :class:`NothingToScore` where there is none, saying what there was.
    """
    theirs = [one for one in series if text_in(one, SERIES_DESCRIPTION) != WARNING]
    why = [_refusal(one, region, instances) for one in theirs]
    refused = [reason for reason in why if reason]
    usable = [one for one, reason in zip(theirs, why, strict=True) if not reason]
    if not usable:
        raise NothingToScore(f"no CT of the {region} ({', '.join(counted(refused)) or 'the study has no series'})")
    first = min(usable, key=lambda one: number_in(one, SERIES_NUMBER))
    others = ["later CT series"] * (len(usable) - 1)
    return SeriesChoice(text_in(first, SERIES_UID), tuple(counted([*others, *refused])))


def _refusal(
    series: Mapping[str, Any], region: str, instances: Callable[[str], Iterable[Mapping[str, Any]]]
) -> str:
    """Why a series cannot be scored, in few words; empty where it can."""
    uid = text_in(series, SERIES_UID)
    if not uid:
        return "series without a UID"
    if (modality := code_in(series, MODALITY)) != "CT":
        return f"{modality or 'unknown modality'}, not a CT"
    if not shows(code_in(series, BODY_PART), region):
        return "CT of another body part"
    count = number_in(series, INSTANCES_IN_SERIES) or FEWEST
    if count < FEWEST:
        count = sum(map(_slices_in, instances(uid)))
    if count < FEWEST:
        return "localizer or single slice"
    return f"CT of more than {MOST_SLICES} slices" if count > MOST_SLICES else ""


def _slices_in(instance: Mapping[str, Any]) -> int:
    """Of an Enhanced CT Image that does not say how many: enough, as far as anybody knows."""
    unstated = FEWEST if text_in(instance, SOP_CLASS) in ENHANCED else 1
    return number_in(instance, FRAMES) or unstated


def shows(body_part: str, region: str) -> bool:
    """Whether a stated Body Part Examined may be that part of the body; one that is not stated may."""
    return not body_part or any(part in body_part for part in BODY_PARTS[region])


def retrieve_series(
    pacs: DICOMweb, study_uid: str, series_uid: str, region: str, decode: Callable[[bytes], CtInstance]
) -> list[Slice]:
    """Every slice of the series, fetched several at once; none may be missing, for it may be the one that counts.

    ``decode`` is :func:`~cds.imaging.ct.slice.read_instance` or calls it. Raises a leaf of
    :class:`~cds.errors.UpstreamError`, or :class:`ImagingError` where a slice cannot be used or they are too many.
    """
    matches = pacs.instances(study_uid, series_uid)
    # What is stated to be another kind of object, such as a dose report's picture, is no slice.
    uids = dict.fromkeys(
        text_in(m, SOP_UID) for m in matches if text_in(m, SOP_CLASS) in ("", CT_IMAGE, *ENHANCED)
    )
    if len(uids) > MOST_SLICES:
        raise ImagingError(f"the series has more than {MOST_SLICES} slices")

    def instance_of(uid: str) -> CtInstance:
        return fetch(pacs, study_uid, series_uid, uid, decode)

    pool = ThreadPoolExecutor(FETCHED_AT_ONCE, "slices")
    try:
        return gathered(pool.map(instance_of, uids), region)
    finally:
        pool.shutdown(cancel_futures=True)


def gathered(instances: Iterable[CtInstance], region: str) -> list[Slice]:
    """The slices of a series; raise :class:`ImagingError` where one is not of ``region``, or they are too many."""
    slices: list[Slice] = []
    pixels = 0
    for instance in instances:
        _check(instance, region)
        slices += instance.slices
        pixels += sum(one.hounsfield.size for one in instance.slices)
        if pixels > MOST_PIXELS or len(slices) > MOST_SLICES:
            raise ImagingError("the series has more slices or pixels than are read at once")
    return slices


def _check(instance: CtInstance, region: str) -> None:
    """The file has the last word."""
    one = instance.slices[0]
    if one.modality != "CT":
        raise ImagingError(f"the series cannot be scored: {one.modality or 'unknown modality'}, not a CT")
    if not shows(one.body_part, region):
        raise ImagingError("the series cannot be scored: CT of another body part")
