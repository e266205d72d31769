"""Short forms and turns of phrase, as the note model reads them."""

import pytest

from cds.engine.wording import each_alone, spelled_out


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("small b/l pl effs", "small bilateral pl effusions"),
        ("CXR yest w/ LLL infiltrate", "CXR yesterday with LLL infiltrate"),
        ("no effusion w/o PTX", "no effusion w/o PTX"),
        ("Cor is big, C/T ratio increased", "heart is big, CTR increased"),
        ("sub q emphysema improving", "subcutaneous emphysema improving"),
        ("EFFORT tolerance fair", "EFFORT tolerance fair"),
        ("+CM, 2 cm nodule", "cardiomegaly, 2 cm nodule"),
    ],
)
def test_short_forms_are_written_out(written: str, read: str) -> None:
    assert spelled_out(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("There is no evidence of worsening of the known right PTX.", "There is unchanged known right PTX."),
        ("No significant interval change in small effusion", "unchanged small effusion"),
        ("PTX has not resolved.", "PTX persists."),
        ("No new effusion.", "No new effusion."),
        ("No increase in interstitial markings.", "No increase in interstitial markings."),
        ("Heart is not enlarged.", "Heart is not enlarged."),
    ],
)
def test_a_denied_change_denies_no_finding(written: str, read: str) -> None:
    assert spelled_out(written) == read


def test_a_remote_disease_is_history() -> None:
    assert spelled_out("remote PTX") == "history of PTX"
    assert spelled_out("pneumonia as a child") == "pneumonia years ago"
    assert spelled_out("remote monitor") == "remote monitor"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("PTX? None seen.", "no PTX."),
        ("Is there an effusion? There is none.", "no effusion."),
        ("Any focal consolidation? No; effusion? Yes, small.", "no focal consolidation; effusion? Yes, small."),
        ("Effusion? No change.", "Effusion? No change."),
        ("Pneumonia? RLL consolidation.", "Pneumonia? RLL consolidation."),
    ],
)
def test_a_question_that_is_answered_by_no_is_a_denial(written: str, read: str) -> None:
    assert spelled_out(written) == read


def test_a_word_that_names_two_findings_is_read_as_each() -> None:
    assert each_alone("Left hydropneumothorax.") == ["Left pneumothorax.", "Left pleural effusion."]
    assert each_alone("Left pneumothorax.") == ["Left pneumothorax."]
