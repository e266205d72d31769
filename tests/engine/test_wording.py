"""Short forms and turns of phrase, as the note model reads them."""

import pytest

from cds.engine.wording import spelled_out


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("small b/l pl effs", "small bilateral pl effusions"),
        ("CXR yest w/ LLL infiltrate", "CXR yesterday with LLL infiltrate"),
        ("no effusion w/o PTX", "no effusion w/o PTX"),
        ("Cor is big, C/T ratio increased", "heart is big, CTR increased"),
        ("sub q emphysema improving", "subcutaneous emphysema improving"),
        ("EFFORT tolerance fair", "EFFORT tolerance fair"),
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
