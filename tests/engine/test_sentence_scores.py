"""A sentence that a model has read is not read again, and its words are not kept."""

from __future__ import annotations

import gc

import numpy as np

from cds.engine.sentence_scores import SentenceScores

ROW = np.zeros(14, np.float32)
SAID = ("findings", "Walrus-shaped nodule.")


def test_what_was_kept_is_known_under_its_own_heading_alone() -> None:
    scores = SentenceScores()
    scores.keep({SAID: ROW})
    assert scores.known([SAID, ("impression", SAID[1])]) == {SAID: ROW}


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    scores = SentenceScores(most=2)
    one, two, three = (("", word) for word in ("one", "two", "three"))
    scores.keep({one: ROW, two: ROW})
    scores.known([one])
    scores.keep({three: ROW})
    assert set(scores.known([one, two, three])) == {one, three}


def test_no_word_is_held_and_no_two_processes_know_it_by_the_same() -> None:
    first, second = SentenceScores(), SentenceScores()
    for scores in (first, second):
        scores.keep({("findings", "".join(["Walrus", "-shaped nodule."])): ROW})
    assert not first._rows.keys() & second._rows.keys()
    held = gc.get_referents(first._rows)
    assert all(isinstance(one, bytes | np.ndarray) for one in held)
