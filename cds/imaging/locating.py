"""Which of several PACS has a study that nobody says the place of: all are asked at once, the first is taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from urllib.parse import urlsplit

from cds.errors import EngineError, Missing, SightlineError, Unreachable
from cds.imaging.derived import WARNING
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.selection import MODALITY, SERIES_DESCRIPTION, code_in, text_in


@dataclass(frozen=True, slots=True)
class Located:
    """Where the study is."""

    root: str
    """The PACS's DICOMweb root."""
    unseen: tuple[str, ...] = ()
    """What could not be looked into until then, each in a sentence without its full stop."""


def locate(roots: Sequence[str], has_study: Callable[[str], bool]) -> Located:
    """The first of ``roots`` to say that it ``has_study``, whatever the others do; a single one is not asked.

    Raises :class:`Missing` where none has it; :class:`Unreachable`, with their names, where some that could not be
    looked into may have it; and :class:`EngineError` where one was not asked for want of time.
    """
    if len(roots) == 1:
        return Located(roots[0])
    failed: dict[str, SightlineError] = {}
    pool = ThreadPoolExecutor(len(roots), "locate")
    try:
        asked = {pool.submit(has_study, root): root for root in roots}
        for answer in as_completed(asked):
            try:
                if answer.result():
                    return Located(asked[answer], tuple(_unseen(failed)))
            except SightlineError as failure:
                failed[asked[answer]] = failure
    finally:
        # Whoever hangs is not waited for.
        pool.shutdown(wait=False)
    raise _nowhere(failed)


def has_images(pacs: DICOMweb, study_uid: str, modalities: Collection[str]) -> bool:
    """Whether the PACS has a series that may be read, beside what we stored there ourselves.

    One that keeps only the reports of a study does not have it. Raises a leaf of :class:`UpstreamError`.
    """
    try:
        found = pacs.series(study_uid)
    except Missing:
        return False
    theirs = (one for one in found if text_in(one, SERIES_DESCRIPTION) != WARNING)
    return any(code_in(one, MODALITY) in ("", *modalities) for one in theirs)


def _nowhere(failed: Mapping[str, SightlineError]) -> SightlineError:
    if not failed:
        return Missing("none of the PACS has the study")
    for failure in failed.values():
        if isinstance(failure, EngineError):
            return failure
    return Unreachable("; ".join(["no PACS that answered has the study", *_unseen(failed)]))


def _unseen(failed: Mapping[str, SightlineError]) -> list[str]:
    """By address, so that the same failures are said in the same words."""
    return [f"{urlsplit(root).netloc} was not looked into: {why}" for root, why in sorted(failed.items())]
