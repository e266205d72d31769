"""The bundle that ships: what it says of itself is so, and it tells the demonstration's films apart."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageClassification

import cds.engine.architectures
from cds.findings import FINDINGS
from cds.imaging.framing import frame
from cds.imaging.pixels import read_radiograph
from cds.sandbox.radiograph import render

from .conftest import make_file

BUNDLE = Path(__file__).parents[2] / "models" / "chest-radiograph"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    held: dict[str, Any] = json.loads((BUNDLE / "bundle.json").read_text())
    return held


@pytest.fixture(scope="module")
def model() -> Any:
    assert cds.engine.architectures.EfficientNetLiteConfig.model_type == "efficientnet_lite"
    return AutoModelForImageClassification.from_pretrained(BUNDLE).eval()


def probabilities(model: Any, described: dict[str, Any], seed: int, **findings: float) -> dict[str, float]:
    """Calibrated, of a synthetic film that went through a DICOM file, as in service."""
    film = render(seed, size=(512, 512), findings=findings, sides={"pneumothorax": "left"}, sex="M")
    pixels = read_radiograph(make_file(film, stored=12, WindowCenter=2048, WindowWidth=4096)).pixels
    spec = described["input"]
    framed = (frame(pixels, spec["width"]) - spec["mean"][0]) / spec["std"][0]
    with torch.inference_mode():
        logits = model(torch.from_numpy(framed.astype(np.float32))[None, None]).logits[0].tolist()
    scale = described["calibration"]
    return {
        key: 1 / (1 + math.exp(-(scale[key]["slope"] * logit + scale[key]["intercept"])))
        for key, logit in zip(described["findings"], logits, strict=True)
    }


def test_every_file_is_the_one_that_was_sealed(described: dict[str, Any]) -> None:
    assert set(described["files"]) == {path.name for path in BUNDLE.iterdir()} - {"bundle.json"}
    for name, digest in described["files"].items():
        assert hashlib.sha256((BUNDLE / name).read_bytes()).hexdigest() == digest


def test_it_speaks_of_known_findings_with_a_calibration_and_a_baseline_each(described: dict[str, Any]) -> None:
    assert set(described["findings"]) == set(FINDINGS)
    for key in described["findings"]:
        assert described["calibration"][key]["slope"] > 0
        assert 0 < described["baseline"][key]["mean"] < 1
        assert described["thresholds"][key] == {"high": 0.85, "review": [0.35, 0.85]}


@pytest.mark.parametrize(
    ("key", "margin"), [("pneumothorax", 0.4), ("effusion", 0.4), ("edema", 0.4), ("pneumonia", 0.1)]
)
def test_a_film_with_a_finding_scores_above_the_same_chest_without(
    model: Any, described: dict[str, Any], key: str, margin: float
) -> None:
    with_it, without = (probabilities(model, described, 4711, **given)[key] for given in ({key: 0.85}, {}))
    assert with_it > without + margin


def test_what_the_first_sample_patient_shows_is_high_and_a_normal_film_has_nothing_to_review(
    model: Any, described: dict[str, Any]
) -> None:
    assert probabilities(model, described, 101, pneumothorax=0.7)["pneumothorax"] >= 0.85
    assert max(probabilities(model, described, 303).values()) < 0.35
