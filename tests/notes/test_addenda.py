"""An addendum that takes a finding back stands instead of the report, and takes back nothing else."""

import pytest

from cds.notes.reading import worth_reading

REPORT = "FINDINGS:\nHeart enlarged.\nIMPRESSION:\nSmall left pneumothorax.\nLeft lower lobe pneumonia."


@pytest.mark.parametrize(
    "addendum",
    [
        "ADDENDUM:\nOn further review the line at the left apex is a skin fold. There is no pneumothorax.",
        "Addendum #1 (11/02/2026 14:05): The previously described pneumothorax represents a skin fold.",
        "ADDENDUM 11/02/2026 14:05: The impression should read: no pneumothorax.",
        "Corrected report: Dictation error above. No left pneumothorax.",
        "Addendum: On re-review no small pneumothorax on the left, as reported.",
        "ATTENDING ADDENDUM:\nThe preliminary report of a pneumothorax is not confirmed.",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_is_taken_back_is_not_read(addendum: str, first: bool) -> None:
    written = [f"{addendum}\n\nORIGINAL REPORT:", REPORT] if first else [REPORT, addendum]
    [read] = worth_reading(["\n".join(written)])
    assert "Small left pneumothorax" not in read
    assert "Left lower lobe pneumonia." in read
    assert addendum.splitlines()[-1] in read


@pytest.mark.parametrize(
    "addendum",
    [
        "ADDENDUM: On review there is no right pneumothorax.",
        "ADDENDUM: On review the left pneumothorax is larger than described.",
        "ADDENDUM: Comparison with the outside film, as described above, which showed no pneumothorax.",
        "ADDENDUM: Findings were called to the ward. No pneumonia of the right lung.",
        "ADDENDUM: There is also a nodule, originally not mentioned.",
        "PLAN: On review no pneumothorax.",
        "ADDENDUM: As described above there is a left pneumothorax. No tension pneumothorax.",
        "ADDENDUM: After review of the lateral view, no pneumothorax at the base; that at the apex is confirmed.",
        "ADDENDUM: Upon review no large pneumothorax.",
        "ADDENDUM: Line at apex was noted. Artifact from hair. No second pneumothorax.",
        "ADDENDUM: Correction: no right pneumothorax was meant, the left one stands.",
        "ADDENDUM: On review, if no pneumothorax is seen tomorrow the tube may come out.",
        "ADDENDUM: Asked whether the left pneumothorax is new: no prior for comparison. Otherwise as described.",
        "ADDENDUM: The report above was called to the ward. Patient denies pneumothorax in the past.",
        "ADDENDUM: Original impression stands. Not pneumothorax alone but also edema.",
    ],
)
def test_what_is_not_taken_back_stays(addendum: str) -> None:
    assert "Small left pneumothorax." in worth_reading([f"{REPORT}\n{addendum}"])[0]


def test_of_a_sentence_that_says_more_the_rest_stays() -> None:
    report = "IMPRESSION: Left pneumothorax and moderate effusion.\nADDENDUM: On re-review no pneumothorax."
    assert "Left  and moderate effusion." in worth_reading([report])[0]


def test_another_notes_addendum_takes_nothing_back() -> None:
    addendum = "ADDENDUM: On review no pneumothorax."
    assert "Small left pneumothorax." in worth_reading([addendum, REPORT])[1]
