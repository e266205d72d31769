"""Evidence in a note's own words."""

from __future__ import annotations

import pytest

from cds.findings import Assertion, Evidence, Place
from cds.notes.highlighting import highlighted

NOTE = "Seen by Dr Anna Berg.\nLeft pneumothorax.\nNo effusion, says\nDr Berg. Home tomorrow."


def evidence(said: str, written: str, finding: str = "pneumothorax") -> Evidence:
    start = NOTE.index(written)
    place = Place("d", start, start + len(written))
    return Evidence(finding, Assertion.PRESENT, said, 0, len(said), 0.9, place)


LEFT = evidence("Left pneumothorax.", "Left pneumothorax.")
DENIED = evidence("No effusion, says Dr [name].", "No effusion, says\nDr Berg.", "effusion")


def test_the_whole_note_is_there_and_only_the_evidence_is_marked() -> None:
    pieces = highlighted(NOTE, [DENIED, LEFT])
    assert "".join(piece.text for piece in pieces) == NOTE
    assert [(piece.text, piece.said) for piece in pieces if piece.said] == [
        ("Left pneumothorax.", (LEFT,)),
        ("No effusion, says\nDr Berg.", (DENIED,)),
    ]


def test_one_sentence_may_speak_of_several_findings() -> None:
    other = evidence("Left pneumothorax.", "Left pneumothorax.", "effusion")
    assert [piece.said for piece in highlighted(NOTE, [LEFT, other]) if piece.said] == [(LEFT, other)]


def test_what_overlaps_is_marked_once() -> None:
    part = evidence("pneumothorax.", "pneumothorax.")
    assert [piece.said for piece in highlighted(NOTE, [part, LEFT]) if piece.said] == [(part, LEFT)]


@pytest.mark.parametrize(
    "stray",
    [
        evidence("Right pneumothorax.", "Left pneumothorax."),
        evidence("Dr [name] left.", "No effusion, says\nDr Berg."),
        Evidence("effusion", Assertion.PRESENT, "x", 0, 1, 0.9, Place("d", 5000, 5001)),
        Evidence("effusion", Assertion.PRESENT, "Left pneumothorax.", 0, 1, 0.9, None),
    ],
)
def test_other_words_are_never_marked(stray: Evidence) -> None:
    assert [piece.text for piece in highlighted(NOTE, [stray])] == [NOTE]


def test_a_note_without_evidence_is_one_piece() -> None:
    assert [piece.text for piece in highlighted(NOTE, [])] == [NOTE]
