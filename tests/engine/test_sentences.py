"""A note is cut into sentences where clinicians end them, each under its heading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.engine.sentences import LONGEST, sentences


def said(text: str) -> list[tuple[str, str]]:
    return [(s.heading, s.text) for s in sentences(text)]


def test_headings_within_a_line_rule_until_the_next() -> None:
    assert said("FINDINGS: Heart enlarged. No effusion; no PTX. IMPRESSION: 1. Nodule, 3.5 mm. 2. No change.") == [
        ("findings", "Heart enlarged."),
        ("findings", "No effusion;"),
        ("findings", "no PTX."),
        ("impression", "Nodule, 3.5 mm."),
        ("impression", "No change."),
    ]


def test_a_heading_with_its_text_beside_it_ends_with_its_line() -> None:
    assert said("Indication: pneumonia.\nThe lungs are clear.") == [
        ("indication", "pneumonia."),
        ("", "The lungs are clear."),
    ]


@pytest.mark.parametrize("heading", ["FAMILY HISTORY", "Family History", "Family history:"])
def test_a_heading_on_its_own_line_rules_until_the_next(heading: str) -> None:
    assert said(f"{heading}\nMother had asthma.\nFather: COPD.\nEXAM\nChest clear.") == [
        ("family history", "Mother had asthma."),
        ("family history father", "COPD."),
        ("exam", "Chest clear."),
    ]


def test_lines_that_an_editor_wrapped_are_one_sentence() -> None:
    text = "There is no evidence of an acute infiltrate and there is no\npneumothorax on this film."
    assert said(text) == [
        ("", "There is no evidence of an acute infiltrate and there is no pneumothorax on this film.")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1. No radiographic evidence of\n   pneumonia.",
        "No effusion,\nno pneumothorax",
        "There is no evidence\nof edema.",
        "NEGATIVE FOR EFFUSION OR\nPNEUMOTHORAX.",
    ],
)
def test_no_line_however_short_tears_a_denial_from_what_it_denies(text: str) -> None:
    assert len(said(text)) == 1


def test_what_a_field_affirms_is_said_with_it() -> None:
    """And a box that was ticked is a bullet."""
    assert said("FINDINGS\nPneumothorax: Yes, left\n[x] Effusion: small\n- [x] Mass\nEdema: no") == [
        ("findings", "Pneumothorax: Yes, left"),
        ("findings effusion", "small"),
        ("findings", "Mass"),
        ("findings edema", "no"),
    ]


def test_a_problem_is_said_with_what_is_done_about_it() -> None:
    assert said("#PNA: continue antibiotics\n# CHF:\n- diurese\n# Indication: rule out PTX") == [
        ("", "PNA: continue antibiotics"),
        ("", "CHF:"),
        ("", "diurese"),
        ("indication", "rule out PTX"),
    ]
    assert said("PNA: cont abx\n2) Acute CHF: diurese\nPneumothorax: none\nLabs: start early") == [
        ("", "PNA: cont abx"),
        ("", "Acute CHF: diurese"),
        ("pneumothorax", "none"),
        ("labs", "start early"),
    ]


def test_a_question_stays_with_the_answer_that_denies_it() -> None:
    assert [text for _, text in said("Mass? No mass. Cough? No fever.")] == [
        "Mass? No mass.",
        "Cough?",
        "No fever.",
    ]
    assert [text for _, text in said("PTX? None seen. Mass? Nodule? No.")] == [
        "PTX? None seen.",
        "Mass?",
        "Nodule? No.",
    ]


def test_lines_of_a_list_are_sentences_of_their_own() -> None:
    assert said("- COPD\n- small effusion\n• Respiratory: Rales.") == [
        ("", "COPD"),
        ("", "small effusion"),
        ("respiratory", "Rales."),
    ]


def test_abbreviations_and_numbers_end_no_sentence() -> None:
    assert said("Seen by Dr. [name] vs. 4.1 cm at 14:22.") == [("", "Seen by Dr. [name] vs. 4.1 cm at 14:22.")]


@given(st.text(alphabet="aB .:;\n-•1()?", max_size=80))
def test_offsets_are_those_of_the_text(text: str) -> None:
    for sentence in sentences(text):
        assert " ".join(text[sentence.start : sentence.end].split()) == sentence.text


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(s.text for s in sentences(text))


def test_what_goes_on_without_a_full_stop_is_read_in_parts() -> None:
    text = "No effusion, " + "the patient was seen again and again and felt well, " * 40 + "large pneumothorax"
    found = sentences(text)
    assert all(len(sentence.text) <= LONGEST for sentence in found)
    assert found[0].text.startswith("No effusion,")
    assert found[-1].text.endswith("large pneumothorax")
    assert " ".join(sentence.text for sentence in found) == text
    assert [len(s.text) for s in sentences("x" * 2 * LONGEST)] == [LONGEST, LONGEST]
