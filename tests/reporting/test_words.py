"""A prescreen in words."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from pydantic import TypeAdapter

from cds.findings import Finding, Level, Prescreen, StudySeen
from cds.reporting.words import in_doubt, seen, together
from tests.prescreens import prescreen

STUDY = StudySeen("1.2", "1.3", "1.4", "DX", "PA", None, "ImagingStudy/1", "https://pacs.example")
PRESCREEN = Prescreen("id", "key", "general", "Patient/1", "https://ehr.example", (), (), study=STUDY)


def test_what_was_seen() -> None:
    assert seen(PRESCREEN) == "DX PA; 0 notes"
    assert seen(replace(PRESCREEN, study=None)) == "no image; 0 notes"


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (None, "50 %"),
        ((0.31, 0.704), "50 % (31 to 70 %)"),
        ((0.5, 0.5), "50 % (50 %)"),
        ((0.0, 1.0), "50 % (1 to 99 %)"),
    ],
)
def test_how_far_a_probability_can_be_off(interval: tuple[float, float] | None, said: str) -> None:
    assert together(Finding("effusion", 0.5, Level.REVIEW, interval=interval)) == said


def test_a_prescreen_of_before_there_were_intervals_is_read() -> None:
    held = orjson.loads(orjson.dumps(prescreen()))
    del held["study"]["quality"]
    for finding in held["findings"]:
        del finding["interval"]
    read = TypeAdapter(Prescreen).validate_python(held)
    assert {finding.interval for finding in read.findings} == {None}
    assert in_doubt(read) == ""


def test_writing_in_the_picture_is_said() -> None:
    written = replace(PRESCREEN, study=replace(STUDY, burned_in=True))
    assert seen(written) == "DX PA (burned-in text); 0 notes"
