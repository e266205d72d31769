"""How a sentence speaks of the findings that it names."""

import pytest

from cds.findings import FINDINGS, Assertion
from cds.notes.mentions import mentions
from cds.notes.negation import assertion


def said(sentence: str, heading: str = "") -> dict[str, str]:
    return {m.finding: str(assertion(sentence, m.start, m.end, heading)) for m in mentions(sentence)}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Small right pneumothorax.", {"pneumothorax": "present"}),
        ("No pneumothorax.", {"pneumothorax": "negated"}),
        ("Pneumothorax: none", {"pneumothorax": "negated"}),
        ("Pneumothorax has resolved.", {"pneumothorax": "negated"}),
        ("No change in the small pneumothorax.", {"pneumothorax": "present"}),
        (
            "No focal consolidation, pleural effusion, or pneumothorax.",
            {"consolidation": "negated", "effusion": "negated", "pneumothorax": "negated"},
        ),
        ("No pneumothorax, but an effusion persists.", {"pneumothorax": "negated", "effusion": "present"}),
        ("Small effusion without pneumothorax.", {"effusion": "present", "pneumothorax": "negated"}),
        ("Effusion is smaller, no pneumothorax.", {"effusion": "present", "pneumothorax": "negated"}),
        ("Resolution of pulmonary edema with persistent effusion.", {"edema": "negated", "effusion": "present"}),
        ("Pneumonia cannot be excluded.", {"pneumonia": "possible"}),
        ("Possible pneumonia.", {"pneumonia": "possible"}),
        ("Rule out pneumonia.", {"pneumonia": "asked about"}),
        ("Mother had emphysema.", {"emphysema": "other person"}),
        ("History of pneumonia.", {"pneumonia": "past"}),
        ("No significant interval change in the left effusion.", {"effusion": "present"}),
        ("No new effusion.", {"effusion": "negated"}),
        ("Nil effusion.", {"effusion": "negated"}),
        (
            "+ RLL infiltrate, - effusion, (-) PTX.",
            {"infiltration": "present", "effusion": "negated", "pneumothorax": "negated"},
        ),
        ("PTX? None seen.", {"pneumothorax": "negated"}),
        ("Effusion (+), PTX (-).", {"effusion": "present", "pneumothorax": "negated"}),
        ("Right hydropneumothorax.", {"effusion": "present", "pneumothorax": "present"}),
        ("Pneumonia has not resolved.", {"pneumonia": "present"}),
        ("Previously seen effusion has cleared.", {"effusion": "negated"}),
        ("Previously seen effusion is unchanged.", {"effusion": "present"}),
        (
            "The prior pneumothorax has increased, effusion resolved.",
            {"pneumothorax": "present", "effusion": "negated"},
        ),
        ("A nodule not seen on the prior study.", {"nodule": "present"}),
        ("No abnormality other than a hiatal hernia.", {"hernia": "present"}),
        ("Atelectasis, less likely pneumonia.", {"atelectasis": "present", "pneumonia": "possible"}),
        ("Being treated for pneumonia.", {"pneumonia": "present"}),
        ("I doubt pneumonia.", {"pneumonia": "negated"}),
    ],
)
def test_scope(sentence: str, expected: dict[str, str]) -> None:
    assert said(sentence) == expected


def test_the_heading_speaks_where_the_sentence_does_not() -> None:
    assert said("Pneumonia.", "indication") == {"pneumonia": Assertion.ASKED}
    assert said("Emphysema.", "family history") == {"emphysema": Assertion.OTHER_PERSON}
    assert said("effusion", "resolved problems") == {"effusion": Assertion.NEGATED}
    assert said("Pneumonia.", "impression") == {"pneumonia": Assertion.PRESENT}


@pytest.mark.parametrize("key", FINDINGS)
def test_every_finding_is_known_by_its_name(key: str) -> None:
    assert key in said(FINDINGS[key].display)


@pytest.mark.parametrize(
    "sentence",
    [
        "Knee effusion.",
        "Thyroid nodule.",
        "Breast mass.",
        "Inguinal hernia.",
        "Subcutaneous emphysema.",
        "Leg edema.",
    ],
)
def test_other_organs_are_not_meant(sentence: str) -> None:
    assert said(sentence.lower()) == {}
