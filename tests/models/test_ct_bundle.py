"""A CT bundle: made as any other, pooled as it says, one for each part of the body, never used untrained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.engine.active import FILE, ct_in_use, in_use, with_choice
from cds.engine.bundles import Bundle
from cds.engine.network import Logits
from cds.engine.slices import BATCH, Pictures, SliceReader, pooled, score_series
from cds.errors import ModelError
from cds.imaging.ct.slice import read_instance
from cds.imaging.ct.volume import stacked
from cds.imaging.ct.windows import pictured
from cds.models.activation import activate
from cds.models.evaluation.series import score_ct
from cds.settings import Settings
from tests.ct import make_enhanced, make_series, make_slice
from tests.ct_bundle import untrained_bundle
from tests.imaging.conftest import make_file


@pytest.fixture
def bundle(settings: Settings, tmp_path: Path) -> Bundle:
    return untrained_bundle(settings, tmp_path)


def altered(bundle: Bundle, settings: Settings, name: str, **changes: Any) -> Bundle:
    """Another bundle of the same files."""
    directory = settings.models_dir / name
    directory.mkdir()
    for file in bundle.directory.iterdir():
        (directory / file.name).write_bytes(file.read_bytes())
    (directory / "bundle.json").write_text(json.dumps({**bundle.manifest, "name": name, **changes}))
    return Bundle.load(directory)


class TestUntrained:
    def test_its_card_says_so(self, bundle: Bundle) -> None:
        assert "The weights are untrained" in (bundle.directory / "card.md").read_text()

    def test_it_is_not_activated(self, bundle: Bundle, settings: Settings) -> None:
        with pytest.raises(ModelError, match="untrained"):
            activate(settings, bundle, "Dr Ada Lovelace")

    def test_nor_used_where_somebody_wrote_it_down_as_active(self, bundle: Bundle, settings: Settings) -> None:
        (settings.models_dir / FILE).write_text(with_choice(settings.models_dir, bundle))
        with pytest.raises(ModelError, match="untrained"):
            ct_in_use(settings)


class TestInUse:
    def test_none_is_unless_it_was_brought(self, settings: Settings) -> None:
        assert ct_in_use(settings) == []

    def test_one_for_each_part_of_the_body_beside_the_radiographs(
        self, bundle: Bundle, settings: Settings
    ) -> None:
        head = altered(bundle, settings, "head", untrained=False)
        chest = altered(bundle, settings, "chest", untrained=False, input={**bundle.input, "body_part": "chest"})
        for one in (head, chest):
            (settings.models_dir / FILE).write_text(with_choice(settings.models_dir, one))
        assert [one.role for one in ct_in_use(settings)] == ["image/CT/chest", "image/CT/head"]
        assert in_use(settings, "image").version.name == "chest-radiograph"

    def test_it_does_not_take_the_place_of_the_radiographs(self, bundle: Bundle, settings: Settings) -> None:
        altered(bundle, settings, "trained", untrained=False)
        with pytest.raises(ModelError, match="image/CT/head, not image"):
            in_use(replace(settings, image_bundle="trained"), "image")

    def test_the_list_tells_what_it_is_for(self, bundle: Bundle, settings: Settings) -> None:
        found = CliRunner().invoke(main, ["models", "list"], env=settings.as_environment())
        assert f"head-ct\timage/CT/head\t{bundle.version.version}\tuntrained" in found.output


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"body_part": "liver"}, "body_part"),
        ({"windows": []}, "windows"),
        ({"windows": [{"center": 40}]}, "windows"),
        ({"windows": [{"center": 40, "width": 0}]}, "windows"),
        ({"windows": [{"center": 40, "width": 80}] * 2}, "one for each channel"),
        ({"fit": "crop"}, "fit"),
        ({"top_slices": 0}, "top_slices"),
        ({"contrast_agent": "iodine"}, "contrast_agent"),
    ],
)
def test_an_input_that_no_slice_can_meet_is_refused(
    bundle: Bundle, settings: Settings, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(ModelError, match=why):
        altered(bundle, settings, "other", input={**bundle.input, **changes})


class TestPooling:
    def test_the_mean_of_the_highest(self) -> None:
        logits = np.array([[1.0, -3.0], [5.0, -1.0], [3.0, -2.0]], np.float32)
        assert pooled(logits, 1) == [5.0, -1.0]
        assert pooled(logits, 2) == [4.0, -1.5]
        assert pooled(logits, 9) == [3.0, -2.0]

    def test_the_key_slice_is_the_highest_of_each_finding(self, bundle: Bundle) -> None:
        def network(pictures: Pictures) -> Logits:
            return np.stack([pictures[:, 0, 0, 0], -pictures[:, 0, 0, 0]], axis=1)

        brightness = [0.1] * BATCH + [0.9, 0.0, 0.7]
        slices = (np.full((3, 64, 64), grey, np.float32) for grey in brightness)
        scored = score_series(bundle, network, slices)
        assert scored.leading == (BATCH, BATCH + 1)
        assert scored.score.probabilities["hemorrhage"] == pytest.approx(1 / (1 + np.exp(-0.8)))

    def test_what_is_no_number_is_no_score(self, bundle: Bundle) -> None:
        with pytest.raises(ModelError, match="no probabilities"):
            score_series(bundle, lambda pictures: np.full((len(pictures), 2), np.nan, np.float32), [np.zeros(1)])


class TestTheReader:
    def test_a_slice_scores_the_same_alone_and_among_others(self, bundle: Bundle) -> None:
        reader = SliceReader.load(bundle, "cpu")
        pictures = np.random.default_rng(1).random((5, 3, 64, 64), dtype=np.float32)
        together = reader(pictures)
        assert together.shape == (5, 2)
        assert np.concatenate([reader(picture[None]) for picture in pictures]) == pytest.approx(together, abs=1e-4)

    def test_another_size_is_refused(self, bundle: Bundle) -> None:
        with pytest.raises(ModelError, match="64 x 64"):
            SliceReader.load(bundle, "cpu")(np.zeros((1, 3, 32, 32), np.float32))


class TestEvaluation:
    """``cds models evaluate``: a row is a folder of one CT, or a file that has all of it."""

    @pytest.fixture
    def series(self, tmp_path: Path) -> Path:
        """Two series in folders, and one in a file."""
        directory = tmp_path / "series"
        for name, files in {"a": make_series(5), "b": make_series(4, [1.0, 1.0])}.items():
            (directory / name / "SCANS").mkdir(parents=True)
            for number, file in enumerate(files):
                (directory / name / "SCANS" / f"IM{number}").write_bytes(file)
        (directory / "c.dcm").write_bytes(make_enhanced(6))
        return directory

    @pytest.fixture
    def evaluate(self, bundle: Bundle, settings: Settings, series: Path, tmp_path: Path) -> Callable[..., Result]:
        def run(*rows: str) -> Result:
            table = tmp_path / "labels.csv"
            table.write_text("\n".join(["series,Intracranial hemorrhage", *rows]) + "\n")
            arguments = ["--bundle", "head-ct", "--images", str(series), "--labels", str(table)]
            asked = ["models", "evaluate", *arguments, "--json", str(tmp_path / "out.json")]
            return CliRunner().invoke(main, asked, env=settings.as_environment())

        return run

    def test_each_series_is_scored(self, evaluate: Callable[..., Result], tmp_path: Path) -> None:
        done = evaluate("a,0", "b,1", "c,0")
        assert done.exit_code == 0, done.output
        assert "3 of 3 series scored." in done.output
        assert json.loads((tmp_path / "out.json").read_text())["findings"]["hemorrhage"]["positives"] == 1

    def test_it_is_scored_as_in_the_service(self, bundle: Bundle, series: Path) -> None:
        reader = SliceReader.load(bundle, "cpu")
        volume = stacked(one for file in make_series(5) for one in read_instance(file).slices)
        expected = score_series(bundle, reader, (pictured(s.hounsfield, bundle.input) for s in volume.slices))
        assert score_ct(bundle, reader, series / "a") == expected.score

    def test_of_a_study_the_series_is_read_that_the_service_would_choose(
        self, bundle: Bundle, series: Path
    ) -> None:
        reader = SliceReader.load(bundle, "cpu")
        alone = score_ct(bundle, reader, series / "a")
        later = {"SeriesInstanceUID": "1.2.826.7.9", "SeriesNumber": 9}
        (series / "a" / "scout.dcm").write_bytes(make_slice(1, SeriesInstanceUID="1.2.826.7.8", SeriesNumber=1))
        (series / "a" / "film.dcm").write_bytes(make_file(np.zeros((64, 64), np.uint16)))
        for number, file in enumerate(make_series(4, [1.0] * 4, **later)):
            (series / "a" / f"later{number}.dcm").write_bytes(file)
        (series / "a" / "README.txt").write_text("exported")
        assert score_ct(bundle, reader, series / "a") == alone

    def test_what_cannot_be_scored_is_said(self, evaluate: Callable[..., Result], series: Path) -> None:
        (series / "empty").mkdir()
        (series / "torn").mkdir()
        for number, file in enumerate(make_series(4)):
            (series / "torn" / str(number)).write_bytes(file[: len(file) // (1 + number // 3)])
        (series / "chest").mkdir()
        for number, file in enumerate(make_series(4, BodyPartExamined="CHEST")):
            (series / "chest" / str(number)).write_bytes(file)
        done = evaluate("a,0", "b,1", "empty,0", "torn,0", "chest,0", "gone,0")
        assert done.exit_code == 1
        for reason in (
            "there are no DICOM images in the folder (empty)",
            "the pixels cannot be decoded (ValueError) (torn)",
            "no CT of the head (CT of another body part) (chest)",
            "there is no such file (gone)",
        ):
            assert f"1 left out: {reason}." in done.output
