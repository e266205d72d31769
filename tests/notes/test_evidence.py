"""The sentences behind a score, in the text that was scored and in the clinician's own note."""

from cds.findings import Assertion, Evidence, ModelVersion, PartScore, Passage, Place
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers
from cds.notes.evidence import Source, evidence, in_original, placed
from cds.notes.reading import prepare, worth_reading

MODEL = ModelVersion("note", "model", "1", "0" * 64)
TEXT = "FINDINGS: Small right effusion. Possible pneumonia. No pneumothorax.\nFamily history: emphysema."


def scored(text: str, **sentences: tuple[str, float]) -> PartScore:
    """A score that ``finding=(sentence, probability)`` carried."""
    passages = (
        Passage(text.index(said), text.index(said) + len(said), {key: p}) for key, (said, p) in sentences.items()
    )
    return PartScore(MODEL, {key: p for key, (_, p) in sentences.items()}, tuple(passages))


def test_what_carried_a_finding_comes_with_its_place() -> None:
    first = evidence(TEXT, scored(TEXT, effusion=("Small right effusion.", 0.97)))[0]
    assert first == Evidence("effusion", Assertion.PRESENT, "Small right effusion.", 10, 31, 0.97)
    assert TEXT[first.start : first.end] == first.text


def test_doubt_is_shown_as_such() -> None:
    first = evidence(TEXT, scored(TEXT, pneumonia=("Possible pneumonia.", 0.5)))[0]
    assert (first.assertion, first.probability) == (Assertion.POSSIBLE, 0.5)


def test_mentions_that_did_not_count_are_shown_as_what_they_are() -> None:
    shown = {e.finding: e.assertion for e in evidence(TEXT, scored(TEXT)) if e.probability is None}
    assert shown == {"pneumothorax": Assertion.NEGATED, "emphysema": Assertion.OTHER_PERSON}


def test_the_model_has_the_last_word_on_what_it_counted() -> None:
    text = "No pneumothorax."
    assert [e.assertion for e in evidence(text, scored(text, pneumothorax=(text, 0.9)))] == [Assertion.PRESENT]


def test_three_sentences_are_shown_for_a_finding_strongest_first() -> None:
    text = "Effusion. Effusion! Effusion? Big effusion."
    passages = tuple(
        Passage(start, end, {"effusion": p})
        for start, end, p in ((0, 9, 0.6), (10, 19, 0.9), (20, 29, 0.5), (30, 43, 0.8))
    )
    shown = evidence(text, PartScore(MODEL, {"effusion": 0.9}, passages))
    assert [e.probability for e in shown] == [0.9, 0.8, 0.6]


def test_a_sentence_is_found_again_in_the_note_as_it_was_written() -> None:
    original = "Dr. John Smith, MRN: 1234567.\nSmall   right pneumothorax, told\nDr. Jane Miller on 03/14/2024.\n"
    note = Deidentifier(b"k" * 32).deidentify(original, KnownIdentifiers())
    text = prepare([note.text])
    said = text[text.index("Small") :]
    start, end = in_original(said, note) or (0, 0)
    assert original[start:end] == "Small   right pneumothorax, told\nDr. Jane Miller on 03/14/2024."


def test_a_sentence_of_another_note_is_not_found() -> None:
    note = Deidentifier(b"k" * 32).deidentify("Lungs clear.", KnownIdentifiers())
    assert in_original("Small effusion.", note) is None


def test_what_carried_a_finding_is_marked_in_the_note_as_the_ehr_has_it() -> None:
    older = "HPI: cough."
    newer = (
        "FAMILY HISTORY: asthma\n\nFINDINGS:\nSmall   right pneumothorax, told\nDr. Jane Miller on 03/14/2024.\n"
    )
    reads = worth_reading([newer, older])
    deidentifier, nobody = Deidentifier(b"k" * 32), KnownIdentifiers()
    sources = [
        Source(str(number), text, read, deidentifier.deidentify(read, nobody))
        for number, (text, read) in enumerate(zip((newer, older), reads, strict=True))
    ]
    text = prepare([source.deidentified.text for source in sources])
    said = text[text.index("Small") : text.index("HPI")].strip()
    [shown] = placed([Evidence("pneumothorax", Assertion.PRESENT, said, 0, len(said), 0.9)], sources)
    assert shown.place == Place("0", newer.index("Small"), newer.index("2024.") + 5)
    assert "Miller" not in shown.text


def test_what_no_note_says_has_no_place() -> None:
    [shown] = placed([Evidence("effusion", Assertion.PRESENT, "Symptoms: effusion.", 0, 19, 0.9)], [])
    assert shown.place is None


def test_of_many_denials_a_few_are_shown_and_none_twice() -> None:
    text = "No effusion. No effusion. Denies effusion. Without effusion. Never had effusion. No pneumonia."
    assert [e.text for e in evidence(text, scored(text))] == [
        "No effusion.",
        "Denies effusion.",
        "Without effusion.",
        "No pneumonia.",
    ]
