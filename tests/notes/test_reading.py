"""What goes to the model is about the patient, newest first, and no longer than agreed."""

from cds.notes.reading import MAX_CHARS, READ_CHARS, prepare, worth_reading


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


def test_conclusions_come_first_then_what_was_seen_then_the_rest() -> None:
    newer = "HPI: sudden pain\nPMH: asthma\nIMPRESSION: pneumothorax"
    older = "PLAN: return\nFINDINGS: clear\nIMPRESSION: normal"
    assert prepare([newer, older]).split("\n\n") == [
        "IMPRESSION: pneumothorax",
        "IMPRESSION: normal",
        "HPI: sudden pain",
        "FINDINGS: clear",
        "PMH: asthma",
        "PLAN: return",
    ]


def test_an_old_impression_is_read_though_a_new_note_is_long() -> None:
    assert prepare(["word " * MAX_CHARS, "IMPRESSION: pneumothorax"]).startswith("IMPRESSION: pneumothorax")


def test_what_is_known_beside_the_notes_comes_before_them() -> None:
    assert prepare(["Cough"], "Patient: 67-year-old woman.") == "Patient: 67-year-old woman.\n\nCough"
    assert prepare([], "Patient: 67-year-old woman.") == "Patient: 67-year-old woman."


HPI = "HPI:\nSudden pleuritic pain on the right since this morning, worse on breathing in."
EXAM = "EXAM:\nAbsent breath sounds on the right, trachea in the midline."


def test_what_was_copied_forward_is_read_once() -> None:
    yesterday = f"{HPI}\n\n{EXAM}"
    today = (
        f"{HPI.replace(' since', '  since').replace('HPI:', '# HPI')}\n\nChest tube in place, lung expanded again."
    )
    kept_today, kept_yesterday = worth_reading([today, yesterday])
    assert kept_today == today
    assert kept_yesterday == EXAM


def test_the_same_document_twice_is_read_once() -> None:
    assert worth_reading([f"{HPI}\n\n{EXAM}"] * 2) == [f"{HPI}\n\n{EXAM}", ""]


def test_short_sentences_show_no_copy() -> None:
    notes = ["Lungs clear.\n\nNo edema.", "Lungs clear.\n\nNo edema."]
    assert worth_reading(notes) == notes


def test_a_paragraph_that_says_mostly_new_things_stays() -> None:
    older = "He has a cough since Monday. Fever came up to 39.4 degrees and he began to shiver at night."
    assert worth_reading(["He has a cough since Monday.", older])[1] == older


def test_no_note_takes_all_that_may_be_de_identified() -> None:
    long = "\n\n".join(f"Line {number} of a very long note." for number in range(5000))
    first, second = worth_reading([long, "IMPRESSION: pneumothorax"])
    assert second == "IMPRESSION: pneumothorax"
    assert len(first) + len(second) == READ_CHARS
