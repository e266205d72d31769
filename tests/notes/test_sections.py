"""Headings in the forms that EHRs, dictation and portals give them; what is about the family is no finding."""

from __future__ import annotations

import pytest

from cds.notes.sections import Kind, about_findings, kind_of, split


@pytest.mark.parametrize(
    "line",
    [
        "IMPRESSION:",
        "IMPRESSION",
        "Impression",
        "Impression: Clear.",
        "Impression. Clear.",
        "Impression - clear",
        "impression: clear",
        "## Impression",
        "**Impression:** clear",
        "__IMPRESSION__",
        "3. Impression:",
        "IV. IMPRESSION",
        "- Impression: clear",
        "  Impression :",
        "FINAL IMPRESSION:",
        "Clinical impression:",
        "A/P:",
        "A:",
        "Assessment & Plan:",
        "MDM: as below",
        "Discharge diagnoses:",
    ],
)
def test_an_impression_in_every_form(line: str) -> None:
    assert [section.kind for section in split(f"Cough.\n{line}\nRight pneumothorax.")] == [
        Kind.OTHER,
        Kind.IMPRESSION,
    ]


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("History of present illness", Kind.HISTORY),
        ("HPI", Kind.HISTORY),
        ("Chief Complaint", Kind.REASON),
        ("Indication", Kind.REASON),
        ("Physical examination", Kind.EXAM),
        ("FINDINGS", Kind.FINDINGS),
        ("Vital signs", Kind.RESULTS),
        ("Recommendation", Kind.PLAN),
        ("PMHx", Kind.PAST_HISTORY),
        ("Discharge medications", Kind.MEDICATIONS),
        ("Social history (per wife)", Kind.SOCIAL_HISTORY),
        ("Comparison", Kind.COMPARISON),
        ("Pertinent Family Hx", Kind.FAMILY_HISTORY),
        ("Maternal grandmother", Kind.FAMILY_HISTORY),
        ("Drug allergies", Kind.ALLERGIES),
        ("Insurance", Kind.ADMINISTRATIVE),
        ("Lungs", None),
        ("Familiar faces", None),
    ],
)
def test_what_a_name_announces(title: str, kind: Kind | None) -> None:
    assert kind_of(title) == kind


def test_headings_in_capitals_within_a_line() -> None:
    """An interface that loses line breaks leaves a whole report in one."""
    report = "INDICATION: Cough. FINDINGS: Heart 3.5 cm above. Lungs clear. IMPRESSION: No disease."
    assert [section.kind for section in split(report)] == [Kind.REASON, Kind.FINDINGS, Kind.IMPRESSION]
    assert split(report)[1].text == "FINDINGS: Heart 3.5 cm above. Lungs clear."


@pytest.mark.parametrize(
    "line",
    [
        "Family History: Mother had emphysema. Physical Exam: Crackles. Assessment: Pneumonia.",
        "family history: noncontributory. physical exam: crackles. assessment: pneumonia.",
        "FAMILY HISTORY:,  Noncontributory.,PHYSICAL EXAM:,  Crackles.,ASSESSMENT:,  Pneumonia.",
    ],
)
def test_a_note_that_lost_its_line_breaks_loses_its_family_history_alone(line: str) -> None:
    kinds = [section.kind for section in about_findings(line)]
    assert kinds == [Kind.EXAM, Kind.IMPRESSION]


def test_what_could_be_left_out_does_not_begin_within_a_line() -> None:
    [section] = about_findings("Married. Children: two. Chest film shows a small effusion.")
    assert section.text.endswith("effusion.")


def test_a_subheading_stays_in_its_section() -> None:
    report = "FINDINGS:\nLUNGS: clear\n\nPLEURA:\nNo effusion\nIMPRESSION: Normal"
    assert [section.kind for section in split(report)] == [Kind.FINDINGS, Kind.IMPRESSION]


def test_a_line_that_only_begins_like_a_heading_is_none() -> None:
    text = (
        "For his\nhistory\nof cough. Plan to return\nP. aeruginosa grew\nImpression of a healthy man\nExam room 3"
    )
    assert [section.kind for section in split(text)] == [Kind.OTHER]


def test_nothing_is_lost_but_blank_lines_between_sections() -> None:
    text = "Note\n\nHPI: cough\nand fever\n\nEXAM:\n\nDull\n"
    assert "\n\n".join(section.text for section in split(text)).split() == text.split()


@pytest.mark.parametrize(
    "family",
    [
        "FAMILY HISTORY:\nMother had emphysema.\nFather: lung mass.",
        "FAMILY HISTORY:\n\nMother: emphysema.\n\nLung mass in the father.",
        "## Family history\nPneumothorax",
        "Family hx: pneumothorax in a brother",
        "FHx - emphysema (father)",
        "Family history.\nEmphysema: father",
    ],
)
def test_family_history_is_no_finding(family: str) -> None:
    kept = " ".join(
        section.text for section in about_findings(f"HPI: cough\n{family}\n\nEXAM:\nAbsent breath sounds")
    )
    assert kept.split() == ["HPI:", "cough", "EXAM:", "Absent", "breath", "sounds"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Family history of emphysema.",
        "There is a family history of lung mass and\npneumothorax.",
        "Strong family history of fibrosis;",
        "FHx significant for pneumothorax.",
    ],
)
def test_family_history_in_a_sentence_is_no_finding_either(sentence: str) -> None:
    (section,) = about_findings(f"HPI: cough. {sentence} No fever.")
    assert section.text.split() == ["HPI:", "cough.", "No", "fever."]


def test_what_may_be_left_out_ends_early() -> None:
    """A note that goes on without a heading is read again after the paragraph."""
    note = "FAMILY HISTORY:\nMother had emphysema.\n\nToday absent breath sounds on the right."
    (section,) = about_findings(note)
    assert (section.kind, section.text) == (Kind.OTHER, "Today absent breath sounds on the right.")


@pytest.mark.parametrize(
    ("comparison", "kept"),
    [
        ("CT of 4/2/2024, which showed a right lower lobe mass.", ""),
        (
            "None available. An outside report of 1/2 describes a right pneumothorax.",
            "COMPARISON: None available.",
        ),
        ("CT of 4.2.2024\nthat demonstrated a mass.\nA mass is seen.", "A mass is seen."),
        ("Film of 4/2/2024.", "COMPARISON: Film of 4/2/2024."),
        (
            "The effusion that the CT showed is now larger.",
            "COMPARISON: The effusion that the CT showed is now larger.",
        ),
    ],
)
def test_what_another_study_showed_is_no_finding(comparison: str, kept: str) -> None:
    read = " ".join(section.text for section in about_findings(f"COMPARISON: {comparison}"))
    assert read.split() == kept.split()


@pytest.mark.parametrize("box", ["[ ]", "[]", "[_]", "( )", "☐"])
def test_a_box_that_nobody_ticked_says_nothing(box: str) -> None:
    (section,) = about_findings(
        f"[x] Effusion\n{box} Pneumothorax\n{box} Edema (x) Nodule {box} Mass\nLungs clear."
    )
    assert section.text.split() == ["[x]", "Effusion", "(x)", "Nodule", "Lungs", "clear."]
