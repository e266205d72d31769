"""Slices become a volume: in their order, with what is missing said, and nothing in it that does not belong."""

from __future__ import annotations

import os
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from cds.engine.bundles import CT_REGIONS
from cds.errors import ImagingError
from cds.imaging.ct.series import BODY_PARTS, ENHANCED, choose_series, retrieve_series
from cds.imaging.ct.slice import AIR, MOST_SLICES, read_instance, read_slice
from cds.imaging.ct.volume import Volume, stacked
from cds.imaging.ct.windows import pictured, windowed
from cds.imaging.derived import WARNING, written
from cds.imaging.pixels import read_radiograph, read_whole_range
from tests.ct import CT_IMAGE, SERIES, STUDY, group, head, make_enhanced, make_series, make_slice
from tests.ct_bundle import HEAD
from tests.imaging.conftest import make_file

MAP = "examples_test-images_CT0012.fragmented_no_bot_jpeg_baseline.51.dcm"
"""An Enhanced CT of two frames: how much blood flows, in no Hounsfield units."""
REAL = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[3] / "shared/data")) / "dicom" / "dcmqa_ct"


def volume(files: list[bytes]) -> Volume:
    return stacked(one for file in files for one in read_instance(file).slices)


def numbers(found: Volume) -> list[int]:
    return [one.number for one in found.slices]


class TestASlice:
    def test_its_values_are_hounsfield_units(self) -> None:
        one = read_slice(make_slice(1))
        assert np.array_equal(one.hounsfield, np.maximum(head(5.0), AIR))

    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
    def test_whatever_it_was_written_in(self, syntax: Any) -> None:
        units = head(5.0)
        given = {"RescaleSlope": 1, "RescaleIntercept": 0, "PixelRepresentation": 1, **_PLACED}
        assert np.array_equal(read_slice(make_file(units, syntax, **given)).hounsfield, units)

    def test_a_slope_counts_and_padding_is_air(self) -> None:
        stored = np.full((64, 64), 100, np.uint16)
        stored[:8] = 63
        given = {"RescaleSlope": 2, "RescaleIntercept": -150, "PixelPaddingValue": 63, **_PLACED}
        assert set(read_slice(make_file(stored, **given)).hounsfield.ravel()) == {AIR, 50}

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"RescaleSlope": None}, "Hounsfield"),
            ({"RescaleSlope": 0}, "slope"),
            ({"RescaleType": "OD"}, "not in Hounsfield"),
            ({"ImagePositionPatient": None}, "ImagePositionPatient"),
            ({"ImagePositionPatient": [0, 0, 1e9]}, "ImagePositionPatient"),
            ({"ImageOrientationPatient": [1, 0, 0, 0, 1]}, "ImageOrientationPatient"),
            ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angles"),
            ({"ImageOrientationPatient": [0.1, 0, 0, 0, 1, 0]}, "right angles"),
            ({"PixelSpacing": [0, 1]}, "no size"),
            ({"PixelSpacing": None}, "PixelSpacing"),
            ({"NumberOfFrames": 3}, "many frames and does not say"),
        ],
    )
    def test_what_its_header_cannot_mean_is_refused(self, changes: dict[str, Any], why: str) -> None:
        with pytest.raises(ImagingError, match=why):
            read_instance(make_slice(1, **changes))

    def test_no_dicom_file_is_refused(self) -> None:
        with pytest.raises(ImagingError, match="not a DICOM file"):
            read_slice(b"GIF89a" * 100)

    def test_a_model_may_need_a_contrast_agent_or_none(self) -> None:
        given = make_slice(1, ContrastBolusAgent="IOHEXOL")
        assert read_instance(given, contrast_agent=True).slices[0].number == 1
        with pytest.raises(ImagingError, match="with a contrast agent"):
            read_instance(given, contrast_agent=False)
        with pytest.raises(ImagingError, match="without a contrast agent"):
            read_instance(make_slice(1), contrast_agent=True)


class TestManySlicesInOneFile:
    """Enhanced CT Image (PS3.3 A.38)."""

    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless])
    def test_it_is_the_same_volume_as_a_file_for_each(self, syntax: Any) -> None:
        enhanced, single = volume([make_enhanced(6, syntax=syntax)]), volume(make_series(6))
        assert [one.place for one in enhanced.slices] == [one.place for one in single.slices]
        for one, other in zip(enhanced.slices, single.slices, strict=True):
            assert np.array_equal(one.hounsfield, other.hounsfield)
            assert (one.spacing, one.thickness) == (other.spacing, other.thickness)
        assert [one.frame for one in enhanced.slices] == [1, 2, 3, 4, 5, 6]
        assert {one.frame for one in single.slices} == {None}

    def test_frames_stand_in_any_order(self) -> None:
        found = volume([make_enhanced(4, places=[15, 5, 20, 10])])
        assert [(one.place, one.frame) for one in found.slices] == [(5, 2), (10, 4), (15, 1), (20, 3)]

    def test_what_is_said_of_each_frame_goes_before_what_is_said_of_all(self) -> None:
        file = dcmread(BytesIO(make_enhanced(3)))
        last = file.PerFrameFunctionalGroupsSequence[2]
        last.PixelValueTransformationSequence = group(RescaleSlope=1, RescaleIntercept=-1014)
        last.CTImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
        first, _, third = read_instance(written(file)).slices
        assert (third.hounsfield.max() - first.hounsfield.max(), third.localizer) == (10, True)

    def test_one_frame_is_read_alone(self) -> None:
        file = make_enhanced(5)
        assert np.array_equal(read_slice(file, 4).hounsfield, read_instance(file).slices[3].hounsfield)
        with pytest.raises(ImagingError, match="no frame 6"):
            read_slice(file, 6)

    def test_one_frame_is_shown_in_its_own_window(self) -> None:
        shown = read_radiograph(make_enhanced(3), frame=2)
        other = read_radiograph(make_slice(2))
        assert np.array_equal(shown.pixels, other.pixels)
        assert np.array_equal(
            read_whole_range(make_enhanced(3), frame=2).pixels, read_whole_range(make_slice(2)).pixels
        )

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"NumberOfFrames": 3}, "more or fewer frames"),
            ({"NumberOfFrames": 4}, "more or fewer frames"),
            ({"NumberOfFrames": MOST_SLICES + 1}, "more slices"),
            ({"PerFrameFunctionalGroupsSequence": []}, "more or fewer frames"),
            ({"SharedFunctionalGroupsSequence": []}, "Hounsfield"),
        ],
    )
    def test_what_its_header_cannot_mean_is_refused(self, changes: dict[str, Any], why: str) -> None:
        with pytest.raises(ImagingError, match=why):
            read_instance(make_enhanced(5, **changes))

    def test_frames_that_are_not_there_are_not_made_up(self) -> None:
        file = make_enhanced(5)
        with pytest.raises(ImagingError, match="cannot be decoded"):
            read_instance(file[: len(file) * 3 // 4])

    def test_a_contrast_agent_is_named_in_a_sequence(self) -> None:
        given = make_enhanced(3, ContrastBolusAgentSequence=group(CodeMeaning="Iohexol"))
        with pytest.raises(ImagingError, match="with a contrast agent"):
            read_instance(given, contrast_agent=False)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the CT in SIGHTLINE_DATA")
class TestARealEnhancedImage:
    def test_it_is_shown_in_the_window_of_its_functional_groups(self) -> None:
        shown = read_whole_range((REAL.parent / "cornerstone" / MAP).read_bytes(), frame=2)
        low, high = shown.window
        values = np.unique(shown.pixels)
        assert (high - low) / (values[1] - values[0]) == pytest.approx(101, rel=0.02)

    def test_what_it_measures_is_not_taken_for_hounsfield_units(self) -> None:
        with pytest.raises(ImagingError, match="not in Hounsfield units"):
            read_instance((REAL.parent / "cornerstone" / MAP).read_bytes())


class TestAVolume:
    def test_the_order_is_that_of_places_not_of_files(self) -> None:
        files = make_series(9)
        random.Random(1).shuffle(files)
        assert numbers(volume(files)) == list(range(1, 10))

    def test_the_end_at_which_the_scanner_begins_is_the_first(self) -> None:
        downwards = [make_slice(n, place=100 - 5 * n) for n in range(1, 8)]
        assert numbers(volume(downwards)) == list(range(1, 8))

    def test_instance_numbers_that_lie_do_not_matter(self) -> None:
        found = volume([make_slice(n, InstanceNumber=0) for n in range(1, 6)])
        assert [one.place for one in found.slices] == [5, 10, 15, 20, 25]

    def test_a_gap_is_said(self) -> None:
        found = volume([make_slice(n) for n in (1, 2, 3, 6, 7)])
        assert found.gaps == {3: 15.0}
        assert found.lacking == ("the CT has a gap: slice 4 lies 15 mm from slice 3",)

    def test_many_gaps_are_one_sentence(self) -> None:
        found = volume([make_slice(n) for n in (1, 3, 5, 8)])
        assert found.lacking == ("the CT has 3 gaps: slices lie up to 15 mm from the next",)

    def test_overlapping_slices_are_no_gap(self) -> None:
        assert volume([make_slice(n, place=3.0 * n) for n in range(1, 6)]).lacking == ()

    def test_without_a_thickness_the_usual_step_counts(self) -> None:
        found = volume([make_slice(n, SliceThickness=None) for n in (1, 2, 3, 4, 8)])
        assert list(found.gaps) == [4]

    def test_of_slices_at_one_place_one_is_read(self) -> None:
        again = [make_slice(n + 20, place=5.0 * n) for n in range(2, 4)]
        found = volume([*make_series(5), *again])
        assert numbers(found) == [1, 2, 3, 4, 5]
        assert found.left_out == ("2 slices at the place of another",)

    def test_localizers_and_other_orientations_are_left_out(self) -> None:
        scout = make_slice(90, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        coronal = [make_slice(n, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]) for n in (91, 92)]
        other_size = make_slice(93, place=200.0, PixelSpacing=[1, 1])
        found = volume([scout, *coronal, *make_series(4), other_size])
        assert numbers(found) == [1, 2, 3, 4]
        assert found.left_out == ("1 localizer", "3 slices of another orientation or size")

    def test_a_tilted_gantry_is_measured_and_steps_are_across_the_slices(self) -> None:
        tilt = np.radians(20)
        column = [0, float(np.cos(tilt)), float(-np.sin(tilt))]
        found = volume([make_slice(n, ImageOrientationPatient=[1, 0, 0, *column]) for n in range(1, 6)])
        assert found.tilt == pytest.approx(20, abs=0.1)
        assert found.steps == pytest.approx([5 * np.cos(tilt)] * 4)

    @pytest.mark.parametrize(
        ("files", "why"),
        [
            (lambda: [], "too few slices"),
            (lambda: make_series(2), "too few slices"),
            (lambda: [make_slice(1)] * 9, "too few slices"),
            (lambda: [make_slice(n, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]) for n in range(9)], "too few"),
            (
                lambda: [
                    make_slice(n, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], ImagePositionPatient=[0, 5 * n, 0])
                    for n in range(9)
                ],
                "not axial",
            ),
            (
                lambda: [make_slice(n, ImagePositionPatient=[50 * n, 0, 5 * n]) for n in range(9)],
                "not lie over one another",
            ),
            (lambda: [_blank(n) for n in range(1, 5)], "blank"),
        ],
    )
    def test_what_is_no_volume_is_refused(self, files: Any, why: str) -> None:
        with pytest.raises(ImagingError, match=why):
            volume(files())


@pytest.fixture(scope="module")
def real() -> Volume:
    return volume([path.read_bytes() for path in sorted(REAL.glob("*.dcm"), reverse=True)])


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the CT in SIGHTLINE_DATA")
class TestARealHead:
    """28 slices, 14 of 4 mm and 14 of 7 mm, gantry tilted by 18.5 degrees (neurolabusc/dcm_qa_ct)."""

    def test_all_slices_in_order(self, real: Volume) -> None:
        assert numbers(real) == list(range(1, 29))
        assert real.left_out == ()

    def test_tilt_and_spacing_are_the_scanners(self, real: Volume) -> None:
        assert real.tilt == pytest.approx(18.5, abs=0.1)
        assert real.steps[:13] == pytest.approx([4.0] * 13, abs=0.01)
        assert real.steps[13] == pytest.approx(1.08, abs=0.01)
        assert real.steps[14:] == pytest.approx([7.0] * 13, abs=0.01)

    def test_slices_as_thick_as_their_steps_leave_no_gap(self, real: Volume) -> None:
        assert real.lacking == ()

    def test_a_slice_that_is_taken_out_is_missed(self, real: Volume) -> None:
        without = [one for one in real.slices if one.number != 20]
        assert list(stacked(without).gaps) == [19]

    def test_air_brain_and_bone_are_where_hounsfield_has_them(self, real: Volume) -> None:
        units = np.stack([one.hounsfield for one in real.slices])
        assert np.percentile(units, 5) == AIR
        brain = units[(units > 0) & (units < 80)]
        assert 25 < np.median(brain) < 45
        assert units.max() > 1000

    def test_each_window_shows_its_own(self, real: Volume) -> None:
        picture = pictured(real.slices[17].hounsfield, HEAD)
        assert (picture.shape, picture.dtype) == ((3, 64, 64), np.float32)
        brain, subdural, bone = picture
        inside = (slice(24, 40), slice(24, 40))
        assert bone[inside].std() < subdural[inside].std() < brain[inside].std()


class TestWindows:
    def test_center_and_width_are_exact(self) -> None:
        units = np.array([[-100, 0, 40, 80, 3000]], np.int16)
        assert windowed(units, {"center": 40, "width": 80}).tolist() == [[0, 0, 0.5, 1, 1]]

    def test_one_window_fills_every_channel(self) -> None:
        picture = pictured(head(0), HEAD | {"windows": [{"center": 40, "width": 80}]})
        assert picture.shape == (3, 64, 64)
        assert np.array_equal(picture[0], picture[2])


def series(uid: str, number: int, **attributes: Any) -> dict[str, Any]:
    """A match of QIDO-RS."""
    found = {"00080060": "CT", "00180015": "HEAD", "00201209": 30, "00200011": number, "0020000E": uid}
    return {tag: {"Value": [value]} for tag, value in (found | attributes).items()}


def singles(uid: str) -> list[dict[str, Any]]:
    """What the PACS says of the instances of a short series: each is one slice."""
    return [{"00080016": {"Value": [CT_IMAGE]}}] * 2


class TestWhichSeries:
    def test_the_first_that_the_scanner_made(self) -> None:
        scout = series("1.1", 1, **{"00201209": 2})
        ours = series("1.9", 0, **{"0008103E": WARNING})
        choice = choose_series([series("1.4", 4), scout, series("1.2", 2), ours], "head", singles)
        assert choice.series_uid == "1.2"
        assert set(choice.passed_over) == {"later CT series", "localizer or single slice"}

    def test_why_there_is_none(self) -> None:
        others = [
            series("1.1", 1, **{"00080060": "SR"}),
            series("1.2", 2, **{"00180015": "CHEST"}),
            series("1.3", 3, **{"00201209": MOST_SLICES + 1}),
        ]
        with pytest.raises(ImagingError, match="SR, not a CT, CT of another body part, CT of more than 600"):
            choose_series(others, "head", singles)
        with pytest.raises(ImagingError, match="no series"):
            choose_series([], "head", singles)

    def test_a_series_that_says_nothing_may_be_it(self) -> None:
        silent = {tag: {"Value": [value]} for tag, value in {"00080060": "CT", "0020000E": "1.2"}.items()}
        assert choose_series([silent], "chest", singles).series_uid == "1.2"

    @pytest.mark.parametrize("stated", [{"00280008": {"Value": [30]}}, {}])
    def test_one_instance_may_have_all_the_slices(self, stated: dict[str, Any]) -> None:
        def instances(uid: str) -> list[dict[str, Any]]:
            return [{"00080016": {"Value": [ENHANCED[0]]}, **stated}] if uid == "1.2" else singles(uid)

        both = [series(uid, number, **{"00201209": 1}) for number, uid in enumerate(("1.1", "1.2"))]
        choice = choose_series(both, "head", instances)
        assert (choice.series_uid, choice.passed_over) == ("1.2", ("localizer or single slice",))

    def test_every_part_of_the_body_that_a_bundle_may_name_has_its_words(self) -> None:
        assert set(BODY_PARTS) == set(CT_REGIONS)


class TestFetching:
    """By a PACS that gives what it is asked for, but for what the test puts in its place."""

    class Pacs:
        def __init__(self, files: list[bytes]) -> None:
            self.files = {f"{SERIES}.{n}": file for n, file in enumerate(files, start=1)}

        def instances(self, study: str, series: str) -> list[dict[str, Any]]:
            return [{"00080018": {"Value": [uid]}} for uid in self.files]

        def instance(self, study: str, series: str, uid: str, **_: Any) -> bytes:
            return self.files[uid]

    def fetched(self, files: list[bytes], region: str = "head") -> list[Any]:
        return retrieve_series(self.Pacs(files), STUDY, SERIES, region, read_instance)  # type: ignore[arg-type]

    def test_every_slice(self) -> None:
        assert sorted(one.number for one in self.fetched(make_series(20))) == list(range(1, 21))

    def test_every_slice_of_an_instance_with_many(self) -> None:
        files = [make_enhanced(9, SOPInstanceUID=f"{SERIES}.1")]
        assert [one.number for one in self.fetched(files)] == list(range(1, 10))

    def test_one_that_is_damaged_costs_all_with_its_reason(self) -> None:
        files = make_series(8)
        files[5] = files[5][:3000]
        with pytest.raises(ImagingError):
            self.fetched(files)

    def test_another_slice_than_was_asked_for_is_refused(self) -> None:
        files = make_series(5)
        files[2] = files[3]
        with pytest.raises(ImagingError, match="another image"):
            self.fetched(files)

    def test_the_file_has_the_last_word(self) -> None:
        with pytest.raises(ImagingError, match="another body part"):
            self.fetched(make_series(4), "chest")
        with pytest.raises(ImagingError, match="MR, not a CT"):
            self.fetched(make_series(4, Modality="MR"))

    def test_too_many_are_not_fetched(self) -> None:
        with pytest.raises(ImagingError, match="more than 600"):
            self.fetched([b""] * (MOST_SLICES + 1))


_PLACED = {
    "Modality": "CT",
    "ImagePositionPatient": [0, 0, 0],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [1, 1],
}


def _blank(number: int) -> bytes:
    given = {"RescaleSlope": 1, "RescaleIntercept": 0, **_PLACED, "ImagePositionPatient": [0, 0, 5 * number]}
    return make_file(np.full((64, 64), 40, np.int16), **given)
