"""The note that rejects what we stored: in the same study, naming it all, valid to the tools, always the same."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import EnhancedSRStorage, KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage

from cds.errors import BadAnswer
from cds.imaging.derived import Source, derived_uid
from cds.imaging.rejection import Stored, rejection_note
from tests.imaging.test_derived import PATIENT, checked, film
from tests.prescreens import prescreen

from .conftest import STUDY

REASON = "It missed pneumothoraces on portable films."
SEEN = prescreen()
HELD = [
    Stored(EnhancedSRStorage, derived_uid(SEEN, "SR"), derived_uid(SEEN, "SR/series")),
    Stored(SecondaryCaptureImageStorage, derived_uid(SEEN, "SC/pneumothorax"), derived_uid(SEEN, "SC/series")),
]


def note(**attributes: Any) -> bytes:
    withdrawn = datetime(2026, 12, 1, 9, tzinfo=UTC)
    return rejection_note(SEEN, Source.read(film(**attributes)), HELD, REASON, withdrawn)


@pytest.fixture
def made() -> Dataset:
    return dcmread(BytesIO(note(TimezoneOffsetFromUTC="+0200")))


def test_it_rejects_for_the_safety_of_patients_and_says_why(made: Dataset) -> None:
    assert made.SOPClassUID == KeyObjectSelectionDocumentStorage
    assert made.ContentTemplateSequence[0].TemplateIdentifier == "2010"
    title = made.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113037", "DCM")
    assert [item.TextValue for item in made.ContentSequence if item.ValueType == "TEXT"] == [REASON]


def test_it_names_all_that_was_stored_and_nothing_else(made: Dataset) -> None:
    (study,) = made.CurrentRequestedProcedureEvidenceSequence
    named = {
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID, series.SeriesInstanceUID)
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert named == {(one.sop_class_uid, one.instance_uid, one.series_uid) for one in HELD}
    assert [item.ValueType for item in made.ContentSequence] == ["TEXT", "COMPOSITE", "IMAGE"]


def test_it_joins_the_study_when_the_model_was_withdrawn(made: Dataset) -> None:
    for keyword, value in PATIENT.items():
        assert str(made[keyword].value) == value, keyword
    assert (made.StudyInstanceUID, made.Modality) == (STUDY, "KO")
    assert (made.ContentDate, made.ContentTime) == ("20261201", "110000")


def test_it_is_the_same_whenever_it_is_made() -> None:
    assert note() == note()


@pytest.mark.parametrize("tool", ["dciodvfy", "dsrdump"])
def test_the_tools_find_no_error(tool: str, tmp_path: Path) -> None:
    said = checked(tool, note(StudyTime="080000"), tmp_path)
    assert "Error" not in said
    assert "KeyObjectSelection" in said or "Key Object Selection" in said
    assert not [line for line in said.splitlines() if line.startswith(("E:", "F:"))]


def test_a_match_that_names_no_instance_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        list(Stored.of([{"00080016": {"vr": "UI"}}]))
