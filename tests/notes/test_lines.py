"""A name that a narrow page broke in two reads as one; what stands on lines of its own stays there."""

from cds.notes.deidentification.lines import unwrapped


def test_a_break_within_a_sentence_is_a_space() -> None:
    text = "She was seen on two occasions in the spring at Port Huron\nHealth System for a cough."
    assert unwrapped(text) == text.replace("\n", " ")


def test_short_lines_ends_of_sentences_and_labels_stay() -> None:
    text = (
        "Name: Ada\nWard: 4\n"
        "The lungs are clear and the heart is of normal size, as before.\n"
        "No pneumothorax is seen on any of the views\n"
        "IMPRESSION: normal\n\nThe heart is of normal size and there is no effusion on the\n\nleft"
    )
    assert unwrapped(text) == text


def test_every_character_keeps_its_place() -> None:
    text = "x" * 60 + " \n" + "y" * 60 + "\nZ"
    assert len(unwrapped(text)) == len(text)
