"""What goes to the model is about the patient, newest first, and no longer than agreed."""

from cds.notes.reading import MAX_CHARS, prepare


def test_sections_about_others_are_left_out() -> None:
    note = "HPI: sudden pain\nFAMILY HISTORY:\nMother had emphysema\nFather: well\nEXAM:\nAbsent breath sounds"
    assert prepare([note]) == "HPI: sudden pain\nEXAM:\nAbsent breath sounds"


def test_a_section_ends_with_its_paragraph() -> None:
    assert prepare(["Family history: pneumothorax in a brother\n\nLungs clear"]) == "Lungs clear"


def test_family_in_a_sentence_is_not_a_section() -> None:
    assert prepare(["Family at the bedside, he is short of breath"]).startswith("Family at the bedside")


def test_surrogates_lose_their_code() -> None:
    assert prepare(["Seen by [NAME-K7Q2XA] at [FACILITY-AAAAAA]."]) == "Seen by [name] at [facility]."


def test_newest_first_and_cut_at_the_budget() -> None:
    text = prepare(["newest", "x " * MAX_CHARS])
    assert text.startswith("newest\n\nx x")
    assert len(text) == MAX_CHARS


def test_nothing_said_is_nothing() -> None:
    assert prepare([]) == prepare(["", " \n "]) == ""
