"""Of a note, only what can speak of the chest is read, and of a long one only so much."""

import pytest

from cds.engine.relevance import most_relevant
from cds.engine.sentences import Sentence, sentences
from training.note.generate import Writer

NOTE = "Feels well. Lungs clear. Small effusion. Knee pain. Eats. Nodule seen."


def read(most: int) -> list[str]:
    return [s.text for s in most_relevant(sentences(NOTE), most)]


def test_what_cannot_speak_of_the_chest_is_not_read() -> None:
    assert read(6) == ["Lungs clear.", "Small effusion.", "Nodule seen."]


def test_names_of_findings_go_first_and_keep_their_order() -> None:
    assert read(2) == ["Small effusion.", "Nodule seen."]


def test_earlier_goes_before_later() -> None:
    assert read(1) == ["Small effusion."]


def test_a_heading_may_name_what_the_sentence_answers() -> None:
    assert [s.text for s in most_relevant(sentences("Pneumothorax: none"), 5)] == ["none"]


@pytest.mark.parametrize(
    "said",
    [
        "L5 disc herniation.",
        "Right knee effusion.",
        "EXAM OF THE KNEE:\nSlight effusion.",
        "Right hippocampal volume loss, FLAIR bright.",
        "Inguinal hernia repair.",
        "Cecum polyp, 9 mm: sessile lesion.",
        "1.4 cm mass of the left breast.",
    ],
)
def test_what_is_said_of_another_place_of_the_body_is_not_read(said: str) -> None:
    assert most_relevant(sentences(said), 5) == []


def test_another_place_beside_the_chest_takes_nothing_from_it() -> None:
    for said in (
        "Hip fracture, and a nodule in the right lung.",
        "Nodule projecting over the left breast.",
        "Worse infiltrates, feeding tube in the duodenum.",
        "Effusions and opacities on high flow oxygen after colon surgery.",
    ):
        assert [s.text for s in most_relevant(sentences(said), 5)] == [said]


@pytest.mark.parametrize("bank", ["train", "heldout"])
def test_hardly_a_statement_of_a_finding_is_passed_over(bank: str) -> None:
    writer = Writer(bank, seed=1)
    stated = [s for s in (writer.statement() for _ in range(1500)) if 1.0 in s.labels.values()]
    passed_over = [s.text for s in stated if not most_relevant([Sentence(0, 0, s.text, s.heading.lower())], 1)]
    assert len(passed_over) <= 0.01 * len(stated), passed_over


@pytest.mark.parametrize("field", ["Heart: Mildly enlarged.", "LUNGS: Clear.", "Pleural spaces: Normal."])
def test_a_field_of_a_report_says_of_what_it_speaks(field: str) -> None:
    assert len(most_relevant(sentences(field), 5)) == 1


def test_a_sign_beside_another_place_of_the_body_is_read() -> None:
    said = "Crackles at both bases, legs swollen to the knees."
    assert [s.text for s in most_relevant(sentences(said), 5)] == [said]
