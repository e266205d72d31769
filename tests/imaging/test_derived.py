"""What we store beside a film: in its study, of its patient, the same whenever it is made, valid to the tools."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    EnhancedSRStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from cds.errors import ImagingError
from cds.findings import Finding, KeySlice, Level, Prescreen
from cds.imaging.derived import WARNING, Source
from cds.imaging.secondary_capture import picture, secondary_capture
from cds.imaging.structured_report import structured_report
from cds.sandbox.radiograph import render
from tests.ct import make_enhanced, make_slice
from tests.prescreens import NOTE_MODEL, PNEUMOTHORAX, prescreen

from .conftest import DX, INSTANCE, SERIES, STUDY, make_file

FILM = render(5, size=(300, 250))
PATIENT: dict[str, Any] = {
    "PatientName": "Müller^Jörg",
    "PatientID": "MRN-4711",
    "IssuerOfPatientID": "GENERAL",
    "PatientBirthDate": "19610304",
    "PatientSex": "F",
    "StudyDate": "20261120",
    "StudyTime": "0800",
    "StudyID": "7",
    "AccessionNumber": "A17",
    "ReferringPhysicianName": "Doe^Jane",
}


def film(**attributes: Any) -> bytes:
    return make_file(FILM, stored=12, **{"SpecificCharacterSet": "ISO_IR 100"} | PATIENT | attributes)


def report(seen: Prescreen | None = None, **attributes: Any) -> bytes:
    return structured_report(seen or prescreen(), Source.read(film(**attributes)))


def capture(seen: Prescreen | None = None, **attributes: Any) -> bytes:
    saliency = np.tile(np.linspace(0, 1, FILM.shape[1], dtype=np.float32), (FILM.shape[0], 1))
    colours = picture(FILM.astype(np.float32) / np.float32(4095), saliency, ["Pneumothorax: probability 95 %"])
    source = Source.read(film(**attributes))
    return secondary_capture(seen or prescreen(), source, PNEUMOTHORAX, 1, colours, burned_in=False)


def read(file: bytes) -> Dataset:
    return dcmread(BytesIO(file))


def items(dataset: Dataset, meaning: str) -> list[Dataset]:
    """Every content item with that concept name, from anywhere in the tree."""
    found = []
    for item in dataset.get("ContentSequence", ()):
        if item.get("ConceptNameCodeSequence") and item.ConceptNameCodeSequence[0].CodeMeaning == meaning:
            found.append(item)
        found += items(item, meaning)
    return found


MADE = pytest.mark.parametrize("make", [report, capture])


@MADE
def test_it_joins_the_film_s_study_and_patient(make: Any) -> None:
    made = read(make())
    for keyword, value in PATIENT.items():
        assert str(made[keyword].value) == value, keyword
    assert made.StudyInstanceUID == STUDY
    assert made.SeriesInstanceUID != SERIES


@MADE
def test_the_patient_stays_as_the_film_has_it_right_or_wrong(make: Any) -> None:
    odd = {
        "PatientName": "山田^太郎",
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientSex": "W",
    }
    made = read(make(**odd))
    assert str(made.PatientName) == "山田^太郎"
    assert made.PatientSex == "W"


@MADE
def test_the_same_result_gives_the_same_bytes_and_another_other_uids(make: Any) -> None:
    assert make() == make()
    other = read(make(prescreen(id="2b4e28ba-2fa1-51d2-883f-0016d3cca427")))
    made = read(make())
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert made[keyword].value.startswith("2.25.")
        assert len(made[keyword].value) <= 64
        assert made[keyword].value != other[keyword].value


@MADE
def test_it_says_what_made_it_and_that_it_is_preliminary(make: Any) -> None:
    made = read(make())
    assert made.SeriesDescription == WARNING == "AI, preliminary, not for diagnosis"
    assert (made.ManufacturerModelName, made.SoftwareVersions) == ("chest-radiograph", "1.0.0")
    assert made.DeviceSerialNumber == "a" * 64


@MADE
def test_its_time_is_on_the_clock_of_the_study(make: Any) -> None:
    seen = prescreen(issued=datetime(2026, 11, 22, 23, 30, tzinfo=UTC))
    made = read(make(seen, TimezoneOffsetFromUTC="+0200"))
    assert (made.ContentDate, made.ContentTime) == ("20261123", "013000")


@MADE
def test_without_an_image_there_is_nothing_to_make(make: Any) -> None:
    with pytest.raises(ImagingError):
        make(prescreen(models=(NOTE_MODEL,)))


def test_a_film_that_names_no_class_cannot_be_referred_to() -> None:
    with pytest.raises(ImagingError):
        Source.read(b"\0" * 128 + b"DICM")


# TID 1500


def test_the_report_is_complete_preliminary_and_verified_by_nobody() -> None:
    made = read(report())
    assert made.SOPClassUID == EnhancedSRStorage
    assert made.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (made.CompletionFlag, made.PreliminaryFlag, made.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert [item.TextValue for item in items(made, "Device Observer Name")] == [WARNING]


def test_each_finding_has_its_probability_its_algorithm_and_the_film() -> None:
    made = read(report())
    certainties = [item.MeasuredValueSequence[0] for item in items(made, "Certainty of Finding")]
    assert [(float(c.NumericValue), c.MeasurementUnitsCodeSequence[0].CodeValue) for c in certainties] == [
        (95.0, "%"),
        (50.0, "%"),
        (2.0, "%"),
    ]
    found = [item.ConceptCodeSequence[0] for item in items(made, "Finding")]
    assert [(f.CodeValue, f.CodingSchemeDesignator) for f in found] == [
        ("36118008", "SCT"),
        ("60046008", "SCT"),
        ("309529002", "SCT"),
    ]
    assert {item.TextValue for item in items(made, "Algorithm Name")} == {"chest-radiograph"}
    assert {item.TextValue for item in items(made, "Algorithm Version")} == {"1.0.0"}
    sources = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items(made, "Source of Measurement")
    ]
    assert sources == [INSTANCE] * 3
    (study,) = made.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == STUDY
    assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == INSTANCE


def test_each_finding_can_be_tracked() -> None:
    made = read(report())
    assert [item.TextValue for item in items(made, "Tracking Identifier")] == ["pneumothorax", "effusion", "mass"]
    uids = [item.UID for item in items(made, "Tracking Unique Identifier")]
    assert len(set(uids)) == 3
    assert all(uid.startswith("2.25.") for uid in uids)


def test_what_only_the_notes_say_does_not_go_to_the_pacs() -> None:
    first, *others = prescreen().findings
    made = read(report(prescreen(findings=(replace(first, image=None), *others))))
    assert [item.TextValue for item in items(made, "Tracking Identifier")] == ["effusion", "mass"]


# Secondary Capture


def test_the_capture_is_a_colour_picture_with_a_band_of_words() -> None:
    made = read(capture())
    assert made.SOPClassUID == SecondaryCaptureImageStorage
    assert made.ConversionType == "WSD"
    assert made.DerivationDescription == WARNING
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == INSTANCE
    pixels = made.pixel_array
    rows, columns = FILM.shape
    assert pixels.shape[1:] == (columns, 3)
    band = pixels[rows:]
    # White letters on black, on two lines.
    assert 0.02 < (band > 200).mean() < 0.3
    assert (band[:, :, 0] == band[:, :, 1]).all()
    coloured = pixels[:rows].astype(int)
    assert np.abs(coloured[..., 0] - coloured[..., 2])[:, -20:].mean() > 40
    assert np.abs(coloured[..., 0] - coloured[..., 2])[:, :20].max() == 0


def test_a_film_with_writing_in_it_says_so_again() -> None:
    source = Source.read(film())
    colours = np.zeros((64, 64, 3), np.uint8)
    made = secondary_capture(prescreen(), source, PNEUMOTHORAX, 1, colours, burned_in=True)
    assert read(made).BurnedInAnnotation == "YES"


# The tools that PACS vendors check with


def checked(command: str, file: bytes, tmp_path: Path) -> str:
    if not (tool := shutil.which(command)):
        pytest.skip(f"{command} is not installed")
    path = tmp_path / "made.dcm"
    path.write_bytes(file)
    done = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@MADE
@pytest.mark.parametrize("stated", [{}, {"PatientOrientation": ["L", "F"], "StudyTime": "080000"}])
def test_dciodvfy_finds_no_error(make: Any, stated: dict[str, Any], tmp_path: Path) -> None:
    said = checked("dciodvfy", make(**stated), tmp_path)
    assert "Error" not in said
    assert ("EnhancedSR" if make is report else "SCImage") in said


@pytest.mark.parametrize(
    ("sop_class", "named"), [(MultiFrameGrayscaleWordSecondaryCaptureImageStorage, 1), (DX, None)]
)
def test_the_frame_that_was_scored_is_named_where_the_class_of_the_film_has_frames(
    sop_class: str, named: int | None, tmp_path: Path
) -> None:
    study = prescreen().study
    assert study
    seen = prescreen(study=replace(study, frame=1), findings=(PNEUMOTHORAX,))
    made, captured = report(seen, SOPClassUID=sop_class), capture(seen, SOPClassUID=sop_class)
    (group,) = items(read(made), "Measurement Group")
    (image,) = (item for item in group.ContentSequence if item.ValueType == "IMAGE")
    for reference in (image.ReferencedSOPSequence[0], read(captured).SourceImageSequence[0]):
        assert reference.get("ReferencedFrameNumber") == named
    for file in (made, captured):
        assert "\nError" not in f"\n{checked('dciodvfy', file, tmp_path)}"


class TestTheReportOfACt:
    """Each finding with its own key slice, which lies in the series of the one that was scored highest."""

    @pytest.fixture
    def made(self) -> bytes:
        found = [
            Finding("hemorrhage", 0.9, Level.HIGH, image=0.9, key_slice=KeySlice("1.2.826.7.1.4", 4, 12)),
            Finding("skull_fracture", 0.5, Level.REVIEW, image=0.5, key_slice=KeySlice("1.2.826.7.1.9", 9, 12)),
        ]
        source = Source.read(make_slice(4, **{"SpecificCharacterSet": "ISO_IR 100"} | PATIENT))
        return structured_report(prescreen(findings=tuple(found)), source)

    def test_every_finding_refers_to_its_own_slice(self, made: bytes) -> None:
        groups = items(read(made), "Measurement Group")
        assert [_image(group) for group in groups] == ["1.2.826.7.1.4", "1.2.826.7.1.9"]
        assert "Computed tomography" in str(read(made))

    def test_both_slices_are_its_evidence(self, made: bytes) -> None:
        (study,) = read(made).CurrentRequestedProcedureEvidenceSequence
        (series,) = study.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == "1.2.826.7.1"
        referred = {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence}
        assert referred == {"1.2.826.7.1.4", "1.2.826.7.1.9"}

    def test_of_an_instance_with_many_slices_it_names_the_frame(self, tmp_path: Path) -> None:
        one = Finding("hemorrhage", 0.9, Level.HIGH, image=0.9, key_slice=KeySlice("1.2.826.7.1.100", 4, 6, 4))
        enhanced = make_enhanced(6, **{"SpecificCharacterSet": "ISO_IR 100"} | PATIENT)
        seen, source = prescreen(findings=(one,)), Source.read(enhanced)
        made = structured_report(seen, source)
        (group,) = items(read(made), "Measurement Group")
        (image,) = (item for item in group.ContentSequence if item.ValueType == "IMAGE")
        assert image.ReferencedSOPSequence[0].ReferencedFrameNumber == 4
        picture = secondary_capture(seen, source, one, 1, np.zeros((64, 64, 3), np.uint8), burned_in=False)
        assert read(picture).SourceImageSequence[0].ReferencedFrameNumber == 4
        for file in (made, picture):
            assert "\nError" not in f"\n{checked('dciodvfy', file, tmp_path)}"

    def test_dciodvfy_finds_no_error(self, made: bytes, tmp_path: Path) -> None:
        assert [
            line for line in checked("dciodvfy", made, tmp_path).splitlines() if line.startswith("Error")
        ] == []


def _image(group: Dataset) -> str:
    (image,) = (item for item in group.ContentSequence if item.ValueType == "IMAGE")
    uid: str = image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    return uid


def test_dsrdump_reads_the_report(tmp_path: Path) -> None:
    said = checked("dsrdump", report(), tmp_path)
    assert not [line for line in said.splitlines() if line.startswith(("E:", "F:"))]
    assert '"Certainty of Finding")="95.0" (%,UCUM,"Percent")' in said
