"""What the fusion bundle is fitted with, checked on data of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import sigmoid
from training.fusion import conformal, stacking, venn_abers, widths
from training.fusion.coverage import TURNS, in_turns
from training.fusion.figures import balanced, figure, measured
from training.fusion.fitting import fit
from training.fusion.pairs import ASSUMED, OTHERWISE, Assumption, Pairs, Scored, folds, paired
from training.measure import auprc, net_benefit, sensitivity_at

COUNT = 4000


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def pairs_of(
    random: np.random.Generator, weights: tuple[float, float, float], count: int = COUNT, findings: int = 1
) -> Pairs:
    """Parts within the limits, and labels drawn as ``weights`` say."""
    image, note = random.uniform(0.02, 0.8, (2, count, findings))
    z = stacking.features(image, note) @ np.array(weights)
    labels = (random.random(z.shape) < sigmoid(z)).astype(float)
    return Pairs(image, note, labels, np.arange(count).astype(str), draws=1)


def test_stacking_finds_the_weights_that_made_the_labels(random: np.random.Generator) -> None:
    stack = stacking.fit(pairs_of(random, (1.2, 0.5, 0.4)), prior=1.0)
    assert stack.weights[0] == pytest.approx([1.2, 0.5, 0.4], abs=0.2)


def test_no_part_counts_against_itself(random: np.random.Generator) -> None:
    assert (stacking.fit(pairs_of(random, (1.0, -1.0, 0.0)), prior=0.1).weights >= 0)[:, :2].all()


def test_few_films_leave_a_finding_the_common_weights(random: np.random.Generator) -> None:
    pairs = pairs_of(random, (1.0, 0.5, 0.0), count=60, findings=14)
    free, held = (stacking.fit(pairs, prior) for prior in (0.1, 1000.0))
    assert np.ptp(held.weights, axis=0).max() < 0.1 < np.ptp(free.weights, axis=0).max()


def test_notes_say_what_is_assumed_of_them(random: np.random.Generator) -> None:
    films = Scored(
        np.full((500, 2), 0.5), random.integers(0, 2, (500, 2)).astype(float), np.arange(500).astype(str)
    )
    notes = Scored(np.array([[0.9, 0.9], [0.1, 0.1]]), np.array([[1.0, 1.0], [0.0, 0.0]]), np.array(["", ""]))
    pairs = paired(films, notes, Assumption(0.7, 0.9), draws=4, seed=0)
    says = pairs.note > 0.5
    assert len(pairs.labels) == 4 * 500
    assert says[pairs.labels == 1].mean() == pytest.approx(0.7, abs=0.05)
    assert says[pairs.labels == 0].mean() == pytest.approx(0.1, abs=0.05)


def test_no_patient_is_in_two_folds() -> None:
    patients = np.array([str(i // 3) for i in range(60)])
    left_out = folds(patients, 5, seed=0)
    assert np.sum(left_out, axis=0).tolist() == [1] * 60
    assert all(not set(patients[rows]) & set(patients[~rows]) for rows in left_out)


def test_prior_balanced_is_as_many_without_as_with(random: np.random.Generator) -> None:
    labels = np.repeat((random.random((200, 3)) < 0.1).astype(float), 2, axis=0)
    pairs = Pairs(labels, labels, labels, np.arange(400).astype(str), draws=2)
    even = balanced(pairs, seed=0).labels
    assert ((even == 1).sum(0) == (even == 0).sum(0)).all()


def test_every_figure_has_an_interval(random: np.random.Generator) -> None:
    pairs = pairs_of(random, (1.2, 0.5, 0.4), count=300, findings=2)
    figures = measured(pairs.image, pairs)
    assert all(one.low < one.high for one in figures.values())
    assert figures["auroc"].low < figures["auroc"].value < figures["auroc"].high


def test_intervals_draw_patients_and_not_films(random: np.random.Generator) -> None:
    once = pairs_of(random, (1.2, 0.5, 0.4), count=100)
    fourfold = Pairs(
        *(np.repeat(a, 4, axis=0) for a in (once.image, once.note, once.labels, once.patients)), draws=4
    )
    one, four = (figure(lambda rows, p=p: float(p.image[rows].mean()), p) for p in (once, fourfold))
    assert four == pytest.approx(one)


def test_bins_whose_shares_fall_are_joined_and_one_more_film_counts() -> None:
    films, present = np.array([1.0, 0.0, 1.0, 2.0]), np.array([1.0, 0.0, 0.0, 2.0])
    blocks = venn_abers.joined(films, present, label=1.0)
    assert blocks.share == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1.0])
    assert blocks.films.tolist() == [3, 3, 3, 3]


def test_intervals_rise_hold_the_frequency_and_are_wide_where_nothing_was_seen(
    random: np.random.Generator,
) -> None:
    scores = random.uniform(0.01, 0.6, (COUNT, 1))
    labels = (random.random(scores.shape) < scores).astype(float)
    (shares,) = venn_abers.by_finding(scores, labels)
    steps = shares.steps(errors=1.0)
    assert (np.diff(steps.low) >= 0).all()
    assert (np.diff(steps.high) >= 0).all()
    low, high = steps.of(np.array([0.3, 0.99]))
    assert (low[0], high[0]) == pytest.approx((0.3, 0.3), abs=0.1)
    assert high[1] - low[1] > 0.3


def calibrated(random: np.random.Generator, count: int, findings: int = 4, shift: float = 0.0) -> Scored:
    """As many with a finding as the score says, or by ``shift`` more."""
    scores = random.uniform(0.05, 0.6, (count, findings))
    labels = (random.random(scores.shape) < scores + shift).astype(float)
    return Scored(scores, labels, np.arange(count).astype(str))


def test_more_standard_errors_are_wider(random: np.random.Generator) -> None:
    films = calibrated(random, 200)
    shares = venn_abers.by_finding(films.probabilities, films.labels)
    (low, high), (lower, higher) = (
        venn_abers.ends(films.probabilities, [one.steps(errors) for one in shares]) for errors in (0.5, 1.5)
    )
    assert (lower <= low + 1e-9).all()
    assert (high <= higher + 1e-9).all()


def test_intervals_cover_nine_in_ten_groups_of_as_many_new_films(random: np.random.Generator) -> None:
    within = []
    for _ in range(6):
        films, new, *notes = (calibrated(random, 120) for _ in range(5))
        fitted = fit(films, notes[0], notes[1:2])
        pairs = paired(new, notes[2], ASSUMED, draws=1, seed=5)
        within += venn_abers.covered(fitted.fused(pairs), pairs.labels, fitted.steps["both"])
    assert np.mean(within) == pytest.approx(0.9, abs=0.06)


def test_more_films_ask_for_more_standard_errors(random: np.random.Generator) -> None:
    films, notes = calibrated(random, 300), calibrated(random, 300)
    few, all_of_them = (
        widths.of_both(films.where(np.arange(count)), notes, [notes], prior=1000.0) for count in (50, 300)
    )
    assert widths.narrowest(few) < widths.narrowest(all_of_them)


def test_halves_of_calibrated_films_cover_each_other(random: np.random.Generator) -> None:
    trials = widths.of_image(calibrated(random, 200))
    assert len(trials) == 2 * widths.REPEATS
    assert all(len(trial.scores) == 100 for trial in trials)
    assert np.mean([trial.covered(widths.narrowest(trials)) for trial in trials]) >= widths.NOMINAL


def test_films_drawn_again_are_as_many_and_have_findings_as_often(random: np.random.Generator) -> None:
    films = calibrated(random, 200, shift=0.2)
    drawn = [one for both in widths.drawn_again(films) for one in both]
    assert {len(one) for one in drawn} == {200}
    assert np.mean([one.labels for one in drawn]) == pytest.approx(films.labels.mean(), abs=0.02)


def test_intervals_of_notes_are_as_wide_as_notes_written_anew_ask(random: np.random.Generator) -> None:
    notes = calibrated(random, 300)
    alike, otherwise = (
        widths.narrowest(widths.of_note(notes, [calibrated(random, 300, shift=shift)] * 2)) for shift in (0.0, 0.3)
    )
    assert alike < otherwise == widths.ERRORS[-1]


def test_each_half_is_covered_by_what_the_other_half_made(random: np.random.Generator) -> None:
    films, *notes = (calibrated(random, count, findings=2) for count in (60, 200, 200, 200))
    covered = in_turns(films, notes[0], notes[1:2], notes[2])
    assert list(covered) == ["image", *(f"both, {one}" for one in (ASSUMED, *OTHERWISE))]
    assert {one.groups for one in covered.values()} == {2 * TURNS * venn_abers.GROUPS * 2}
    assert all(one.lowest <= one.share <= one.highest for one in covered.values())
    assert covered["image"].share >= 0.75


def test_conformal_sets_hold_the_true_answer_nine_times_in_ten(random: np.random.Generator) -> None:
    labels = (random.random((2 * COUNT, 2)) < 0.2).astype(float)
    scores = sigmoid(labels + random.normal(0, 1, labels.shape))
    sets = conformal.fitted(scores[:COUNT], labels[:COUNT])
    present, absent = sets.holds(scores[COUNT:])
    there = labels[COUNT:] == 1
    assert present[there].mean() == pytest.approx(0.9, abs=0.03)
    assert absent[~there].mean() == pytest.approx(0.9, abs=0.03)


def test_measures_come_to_what_they_are_by_definition() -> None:
    scores, labels = np.array([0.1, 0.2, 0.6, 0.8]), np.array([0.0, 1.0, 0.0, 1.0])
    assert auprc(scores, labels) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert sensitivity_at(0.5, scores, labels) == 0.5
    assert net_benefit(0.5, scores, labels) == pytest.approx(1 / 4 - 1 / 4)
    assert net_benefit(0.2, scores, labels) == pytest.approx(2 / 4 - 1 / 4 * 0.25)
