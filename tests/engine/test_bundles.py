"""A bundle is what its ``bundle.json`` says, or it does not load."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.engine.bundles import Bundle, Calibration, OperatingPoint, sigmoid
from cds.errors import ModelError

INPUT = {"height": 224, "width": 224, "channels": 3, "mean": [0.5], "std": [0.2, 0.2, 0.2]}


def write(directory: Path, **changes: Any) -> Path:
    (directory / "card.md").write_text("# A card")
    manifest = {
        "name": "m",
        "version": "1.0.0",
        "kind": "image",
        "findings": ["effusion"],
        "input": INPUT,
        "calibration": {"effusion": {"slope": 2.0, "intercept": -1.0}},
        "thresholds": {"effusion": {"high": 0.85, "review": [0.4, 0.85]}},
        "files": {"card.md": hashlib.sha256(b"# A card").hexdigest()},
    }
    (directory / "bundle.json").write_text(json.dumps(manifest | changes))
    return directory


def test_its_identity_is_the_digest_of_its_manifest(tmp_path: Path) -> None:
    version = Bundle.load(write(tmp_path)).version
    assert version.digest == hashlib.sha256((tmp_path / "bundle.json").read_bytes()).hexdigest()


def test_scores_are_calibrated(tmp_path: Path) -> None:
    assert Bundle.load(write(tmp_path)).score([0.5]).probabilities == {"effusion": 0.5}


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": ["boredom"]},
        {"calibration": {"effusion": {"slope": -1, "intercept": 0}}},
        {"thresholds": {}},
        {"calibration": {"effusion": {"operating_point": 1.0}}},
        {"input": INPUT | {"fit": "stretch"}},
        {"input": INPUT | {"contrast": 3}},
        {"input": {}},
        {"input": INPUT | {"height": "224"}},
        {"input": INPUT | {"width": 100_000}},
        {"input": INPUT | {"channels": 0}},
        {"input": INPUT | {"mean": [0.5, 0.5]}},
        {"input": INPUT | {"mean": [math.nan]}},
        {"input": INPUT | {"std": [0.0]}},
        {"files": {"card.md": "0" * 64}},
        {"files": {"gone.txt": "0" * 64}},
        {"files": {"../card.md": hashlib.sha256(b"# A card").hexdigest()}},
        {"name": None, "thresholds": []},
        {"input": []},
        {"findings": [{}]},
        {"files": None},
        {"calibration": {"effusion": {"slope": "1", "intercept": 0}}},
        {"calibration": {"effusion": {"slope": 1, "intercept": math.nan}}},
        {"calibration": {"effusion": {"slope": math.inf, "intercept": 0}}},
        {"thresholds": {"effusion": {"high": math.nan, "review": [0.4, 0.85]}}},
        {"thresholds": {"effusion": {"high": 0.85, "review": [math.nan, 0.85]}}},
        {"thresholds": {"effusion": {"high": "0.85", "review": [0.4, 0.85]}}},
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=tmp_path.name):
        Bundle.load(write(tmp_path, **changes))


def test_no_probability_is_low_between_what_is_in_doubt_and_what_is_high(tmp_path: Path) -> None:
    write(tmp_path, thresholds={"effusion": {"high": 0.9, "review": [0.4, 0.6]}})
    with pytest.raises(ModelError, match="does not reach"):
        Bundle.load(tmp_path)


def test_an_altered_file_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "card.md").write_text("# Another card")
    with pytest.raises(ModelError, match="altered"):
        Bundle.load(tmp_path)


def test_no_bundle_is_a_plain_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Bundle.load(tmp_path / "none")


def test_the_kind_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="kind image, not note"):
        Bundle.load(write(tmp_path)).expect("note")


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_calibration_keeps_the_order(a: float, b: float) -> None:
    a, b = sorted((a, b))
    calibration = Calibration(0.7, 0.1)
    assert 0 <= calibration.probability(a) <= calibration.probability(b) <= 1


def test_sigmoid_is_safe_at_the_ends() -> None:
    assert (sigmoid(-1e4), sigmoid(0), sigmoid(1e4)) == (0, 0.5, 1)


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0.01, 0.99))
def test_an_operating_point_becomes_a_half_and_keeps_the_order(a: float, b: float, point: float) -> None:
    a, b = sorted((a, b))
    scaled = OperatingPoint(point)
    assert 0 <= scaled.probability(a) <= scaled.probability(b) <= 1
    assert scaled.probability(math.log(point / (1 - point))) == pytest.approx(0.5)
