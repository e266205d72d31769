"""Recall and precision as a person would count them."""

from __future__ import annotations

import json

import pytest

from cds.errors import NoteError
from cds.notes.deidentification.evaluation import Annotated, evaluate, merged, read, wilson

NOTE = Annotated("Dr. Ada Okafor saw him on 03/14/2024. Parkinson disease.", ((0, 14, "NAME"), (26, 36, "DATE")))


def test_all_that_identifies_is_gone() -> None:
    evaluation, leaks = evaluate(lambda _: [(4, 14), (26, 36)], [NOTE])
    assert leaks == []
    assert (evaluation.all.recall, evaluation.precision, evaluation.terms_destroyed_per_1000) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("taken", [(4, 7), (8, 14), (4, 13), (0, 3)])
def test_a_name_half_left_over_is_a_leak(taken: tuple[int, int]) -> None:
    evaluation, leaks = evaluate(lambda _: [taken, (26, 36)], [NOTE])
    assert [(leak.type, leak.start) for leak in leaks] == [("NAME", 0)]
    assert evaluation.all.recall == 0.5
    assert evaluation.all.leaks_per_1000_notes == 1000


def test_a_title_left_standing_is_none() -> None:
    assert evaluate(lambda _: [(4, 7), (8, 14), (26, 36)], [NOTE])[1] == []


def test_words_taken_without_need_cost_precision_and_clinical_terms_are_counted() -> None:
    evaluation, _ = evaluate(lambda _: [(4, 14), (26, 36), (38, 47)], [NOTE])
    assert evaluation.precision == pytest.approx(5 / 6)
    assert evaluation.terms == 1
    assert evaluation.terms_destroyed_per_1000 == 1000


def test_recall_is_told_by_type() -> None:
    evaluation, _ = evaluate(lambda _: [(26, 36)], [NOTE, NOTE])
    assert {row.type: (row.removed, row.spans) for row in evaluation.types} == {"NAME": (0, 2), "DATE": (2, 2)}


def test_wilson_intervals() -> None:
    """Against the values of Newcombe, Statistics in Medicine 1998;17:857, table I."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_spans_that_touch_are_one() -> None:
    assert merged([(5, 9), (0, 3), (2, 4), (9, 11)]) == [(0, 4), (5, 11)]


def written(text: object = "Ada", **span: object) -> str:
    return json.dumps({"text": text, "spans": [{"start": 0, "end": 3, "type": "NAME", **span}]})


@pytest.mark.parametrize(
    "line",
    [
        *("{", "[]", "null", '{"text": "a"}', '{"text": "a", "spans": {}}', "[" * 100_000),
        *(written(end=4), written(start=-1), written(start=3), written(start=3, end=0)),
        *(
            written(end=2.5),
            written(end="3"),
            written(start=True),
            written(end=float("inf")),
            written(end=10**30),
        ),
        *(
            written(text=5555),
            written(text="Ada \ud800"),
            written(type=None),
            written(type=""),
            written(type="\x1b[2J"),
        ),
    ],
    ids=lambda value: value[:80],
)
def test_a_line_that_is_no_annotated_note_is_named(line: str) -> None:
    good = '{"text": "Ada", "spans": [{"start": 0, "end": 3, "type": "NAME"}]}'
    with pytest.raises(NoteError, match="line 2"):
        list(read([good, line]))


def test_nothing_to_evaluate_on_is_an_error() -> None:
    with pytest.raises(NoteError, match="no annotated note"):
        evaluate(lambda _: [], [])
