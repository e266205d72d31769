"""The rules that late fusion keeps for every pair of probabilities."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.engine.bundles import Bundle, Thresholds
from cds.errors import ModelError
from cds.findings import Level, ModelVersion, PartScore
from cds.fusion.late import LateFusion, Limits, Weights
from tests.fusion.intervals import confidence
from tests.hospital import MODELS

FUSION = LateFusion(
    version=ModelVersion("fusion", "late-fusion", "1.0.0", "0" * 64),
    weights={key: Weights(0.8, 0.5, -0.2) for key in ("pneumothorax", "effusion")},
    thresholds={key: Thresholds(0.85, (0.4, 0.85)) for key in ("pneumothorax", "effusion")},
    image_limits=Limits(0.01, 0.99),
    note_limits=Limits(0.05, 0.99),
    disagreement=0.6,
)
MODEL = ModelVersion("image", "m", "1", "1" * 64)
probabilities = st.floats(0, 1)


def score(**values: float) -> PartScore:
    return PartScore(MODEL, values)


@given(probabilities, probabilities)
def test_a_probability_stays_one(image: float, note: float) -> None:
    assert 0 <= FUSION.probability("effusion", image, note) <= 1


@given(probabilities, probabilities, probabilities)
def test_monotone_in_the_image(lower: float, higher: float, note: float) -> None:
    lower, higher = sorted((lower, higher))
    assert FUSION.probability("effusion", lower, note) <= FUSION.probability("effusion", higher, note) + 1e-12


@given(probabilities, probabilities, probabilities)
def test_monotone_in_the_note(image: float, lower: float, higher: float) -> None:
    lower, higher = sorted((lower, higher))
    assert FUSION.probability("effusion", image, lower) <= FUSION.probability("effusion", image, higher) + 1e-12


@given(probabilities)
def test_a_missing_part_leaves_the_others_score(p: float) -> None:
    assert FUSION.probability("effusion", p, None) == p
    assert FUSION.probability("effusion", None, p) == p


@given(st.floats(0.85, 1), probabilities)
def test_a_note_never_hides_what_the_image_shows_clearly(image: float, note: float) -> None:
    (finding,) = FUSION.fuse(score(effusion=image), score(effusion=note))
    assert finding.level is Level.HIGH


@given(probabilities, probabilities)
def test_parts_that_disagree_are_never_called_low(image: float, note: float) -> None:
    (finding,) = FUSION.fuse(score(effusion=image), score(effusion=note))
    assert finding.disputed == (abs(image - note) >= 0.6)
    if finding.disputed:
        assert finding.level is not Level.LOW


def test_nothing_in_nothing_out() -> None:
    assert FUSION.fuse(None, None) == ()


def test_the_worst_stands_first_and_time_critical_before_equal() -> None:
    findings = FUSION.fuse(score(effusion=0.95, pneumothorax=0.9), None)
    assert [f.key for f in findings] == ["pneumothorax", "effusion"]


@pytest.mark.parametrize(("p", "level"), [(0.1, Level.LOW), (0.5, Level.REVIEW), (0.85, Level.HIGH)])
def test_levels_follow_the_thresholds(p: float, level: Level) -> None:
    assert FUSION.fuse(score(effusion=p), None)[0].level is level


def test_a_note_that_says_nothing_does_not_silence_a_likely_finding() -> None:
    (finding,) = FUSION.fuse(score(effusion=0.8), score(effusion=0.001))
    assert finding.level is Level.REVIEW
    assert finding.probability > 0.3


class TestBundle:
    """One that would make a finding low without a word is refused."""

    bundle = Bundle.load(MODELS / "late-fusion")

    def loaded(self, **changes: object) -> LateFusion:
        return LateFusion.from_bundle(replace(self.bundle, manifest={**self.bundle.manifest, **changes}))

    @pytest.mark.parametrize("part", ["image", "note", "intercept"])
    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_a_weight_that_is_no_number(self, part: str, number: float) -> None:
        weights = self.bundle.manifest["weights"]
        with pytest.raises(ModelError, match="no numbers"):
            self.loaded(weights=weights | {"effusion": weights["effusion"] | {part: number}})

    @pytest.mark.parametrize("number", [math.nan, 0, -1])
    def test_a_disagreement_that_is_none(self, number: float) -> None:
        with pytest.raises(ModelError, match="disagreement"):
            self.loaded(disagreement=number)

    def test_weights_of_another_form(self) -> None:
        with pytest.raises(ModelError, match="misspells"):
            self.loaded(weights=[])


class TestOfOtherModels:
    fusion = replace(FUSION, confidence=confidence("pneumothorax", "effusion"))
    other = ModelVersion("image", "head-ct", "1", "2" * 64)

    def test_nothing_is_known_of_how_far_they_are_off(self) -> None:
        (finding,) = self.fusion.fuse(PartScore(self.other, {"effusion": 0.5}), score(effusion=0.5))
        assert finding.interval is None

    def test_what_they_say_of_other_findings_leaves_the_notes_as_certain_as_they_were(self) -> None:
        alone = self.fusion.fuse(None, score(effusion=0.5))
        assert alone[0].interval is not None
        assert self.fusion.fuse(PartScore(self.other, {"hemorrhage": 0.9}), score(effusion=0.5)) == alone
