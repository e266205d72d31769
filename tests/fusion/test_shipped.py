"""The rules of late fusion, held against the very bundle that ships: for each finding, whatever the parts say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cds.engine.bundles import Bundle
from cds.findings import Finding, Level, ModelVersion, PartScore
from cds.fusion.late import LateFusion
from cds.settings import PACKAGE_ROOT
from tests.hospital import MODELS

FUSION = LateFusion.from_bundle(Bundle.load(MODELS / "late-fusion"))
IMAGE, NOTE = (Bundle.load(MODELS / name).version for name in ("chest-radiograph", "clinical-note"))

keys = st.sampled_from(sorted(FUSION.weights))
probabilities = st.floats(0, 1)
missing = st.none()
doubts = st.sampled_from([(), ("seems to be turned",)])


def part(model: ModelVersion, key: str, probability: float | None) -> PartScore | None:
    return None if probability is None else PartScore(model, {key: probability})


def fused(key: str, image: float | None, note: float | None, doubts: tuple[str, ...] = ()) -> Finding:
    (finding,) = FUSION.fuse(part(IMAGE, key, image), part(NOTE, key, note), doubts)
    return finding


@given(keys, probabilities, probabilities | missing)
def test_no_note_hides_what_the_image_alone_calls_high(key: str, image: float, note: float | None) -> None:
    if fused(key, image, None).level is Level.HIGH:
        finding = fused(key, image, note)
        assert finding.level is Level.HIGH
        assert finding.probability >= image


@given(keys, st.lists(probabilities, min_size=2, max_size=2), probabilities)
def test_it_rises_with_each_part(key: str, rising: list[float], other: float) -> None:
    low, high = sorted(rising)
    assert FUSION.probability(key, low, other) <= FUSION.probability(key, high, other) + 1e-12
    assert FUSION.probability(key, other, low) <= FUSION.probability(key, other, high) + 1e-12


@given(keys, probabilities)
def test_a_missing_part_leaves_the_others_own_score(key: str, p: float) -> None:
    assert fused(key, p, None).probability == fused(key, None, p).probability == p


@given(keys, probabilities, probabilities | missing)
def test_a_film_in_doubt_is_never_high_and_less_certain(key: str, image: float, note: float | None) -> None:
    plain, doubted = fused(key, image, note), fused(key, image, note, ("seems to be turned",))
    assert doubted.level is not Level.HIGH
    assert plain.interval is not None
    assert doubted.interval is not None
    assert doubted.interval[0] <= plain.interval[0] <= plain.interval[1] <= doubted.interval[1]


@given(keys, probabilities | missing, probabilities, doubts)
def test_a_probability_lies_within_its_interval(
    key: str, image: float | None, note: float, doubts: tuple[str, ...]
) -> None:
    finding = fused(key, image, note, doubts)
    assert finding.interval is not None
    assert 0 <= finding.interval[0] <= finding.probability <= finding.interval[1] <= 1


def test_the_evaluation_has_its_tables_from_the_card() -> None:
    card = (MODELS / "late-fusion" / "card.md").read_text().splitlines()
    evaluation = (PACKAGE_ROOT / "docs" / "evaluation.md").read_text()
    section = evaluation.split("## Fusion and confidence")[1].split("\n## ")[0]
    assert [row for row in section.splitlines() if row.startswith("|") and row not in card] == []
