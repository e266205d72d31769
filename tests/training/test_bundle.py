"""A bundle names each of its files by digest, and refuses what the service could not use."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from training.bundle import Bundle, write_bundle

BUNDLE = Bundle(
    name="sample",
    version="1.0.0",
    kind="image",
    findings=("effusion",),
    input={"width": 224, "height": 224, "channels": 1, "mean": [0.5], "std": [0.5]},
    calibration={"effusion": {"slope": 1.5, "intercept": -2.0}},
    baseline={"effusion": {"mean": 0.1, "std": 0.2}},
    licence="Apache-2.0",
    intended_use="demonstration",
)


def test_every_file_beside_the_bundle_is_named_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    digest = write_bundle(tmp_path, BUNDLE, "# Card\n")
    written = (tmp_path / "bundle.json").read_bytes()
    described = json.loads(written)
    assert digest == hashlib.sha256(written).hexdigest()
    assert described["files"] == {
        "card.md": hashlib.sha256(b"# Card\n").hexdigest(),
        "model.safetensors": hashlib.sha256(b"weights").hexdigest(),
    }
    assert described["thresholds"] == {"effusion": {"high": 0.85, "review": [0.35, 0.85]}}


def test_an_unknown_finding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a finding"):
        write_bundle(tmp_path, replace(BUNDLE, findings=("gout",)), "")


def test_a_calibration_that_turns_the_order_round_is_refused(tmp_path: Path) -> None:
    upside_down = replace(BUNDLE, calibration={"effusion": {"slope": -1.0, "intercept": 0.0}})
    with pytest.raises(ValueError, match="slope"):
        write_bundle(tmp_path, upside_down, "")
