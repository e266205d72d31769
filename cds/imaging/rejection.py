"""What we stored in a PACS, taken back: DICOM knows no deletion, so a note rejects it (IHE RAD, "IOCM").

The note is a Key Object Selection (PS3.16 TID 2010) titled "Rejected for Patient Safety Reasons", in the study of
what it rejects. An archive that knows such notes hides what they name; in another, the note stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.sr.codedict import codes
from pydicom.uid import SecondaryCaptureImageStorage

from cds.errors import BadAnswer
from cds.findings import Prescreen
from cds.imaging.derived import MANUFACTURER, Source, blank, derived_uid, joined, written

SERIES_NUMBER = 9_103
SERIES_DESCRIPTION = "AI results withdrawn"
SERIES = ("SR/series", "SC/series")
"""The series that we make of a prescreen (:func:`~cds.imaging.derived.derived_uid`)."""


def instances(prescreen: Prescreen) -> frozenset[str]:
    """The instances that we may have made of a prescreen: no other is ever rejected."""
    captures = (derived_uid(prescreen, f"SC/{finding.key}") for finding in prescreen.findings)
    return frozenset((derived_uid(prescreen, "SR"), *captures))


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance of ours that the PACS holds."""

    sop_class_uid: str
    instance_uid: str
    series_uid: str

    @classmethod
    def of(cls, matches: Sequence[Mapping[str, Any]]) -> Iterator[Stored]:
        """Of the matches of a search (PS3.18 F.2); raise :class:`BadAnswer` for one that names no instance."""
        try:
            for match in matches:
                yield cls(*(match[tag]["Value"][0] for tag in ("00080016", "00080018", "0020000E")))
        except (KeyError, IndexError, TypeError):
            raise BadAnswer("the PACS's search answer names no instance") from None


def rejection_note(
    prescreen: Prescreen, source: Source, stored: Sequence[Stored], reason: str, withdrawn: datetime
) -> bytes:
    """A DICOM Part 10 file that rejects what is ``stored``; ``reason`` is a sentence without patient data."""
    rejected = [blank(source, one.sop_class_uid, one.instance_uid, one.series_uid) for one in stored]
    for instance in rejected:
        if instance.SOPClassUID == SecondaryCaptureImageStorage:
            instance.Rows = instance.Columns = 0  # by which the library knows an image
    note = KeyObjectSelectionDocument(
        evidence=rejected,
        content=KeyObjectSelection(codes.DCM.RejectedForPatientSafetyReasons, rejected, description=reason),
        series_instance_uid=derived_uid(prescreen, "KO/series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=derived_uid(prescreen, "KO"),
        instance_number=1,
        manufacturer=MANUFACTURER,
    )
    for equipment in note.get("ContributingEquipmentSequence", ()):
        # When the library was at work; what is made again has to be the same.
        del equipment.ContributionDateTime
    note.SeriesDescription = SERIES_DESCRIPTION
    return written(joined(note, source, withdrawn))
