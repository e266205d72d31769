"""A prescreen in words."""

from __future__ import annotations

from dataclasses import replace

from cds.findings import Prescreen, StudySeen
from cds.reporting.words import seen

STUDY = StudySeen("1.2", "1.3", "1.4", "DX", "PA", None, "ImagingStudy/1", "https://pacs.example")
PRESCREEN = Prescreen("id", "key", "general", "Patient/1", "https://ehr.example", (), (), study=STUDY)


def test_what_was_seen() -> None:
    assert seen(PRESCREEN) == "DX PA; 0 notes"
    assert seen(replace(PRESCREEN, study=None)) == "no image; 0 notes"


def test_writing_in_the_picture_is_said() -> None:
    written = replace(PRESCREEN, study=replace(STUDY, burned_in=True))
    assert seen(written) == "DX PA (writing in the picture); 0 notes"
