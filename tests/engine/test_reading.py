"""Notes on their way to the model: one that cannot be de-identified in time costs no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cds.ehr.documents import Document
from cds.engine.bundles import Bundle
from cds.engine.quality import QualityGate
from cds.errors import NoteError
from cds.inference.engine import Models
from cds.inference.reading import Reading
from cds.notes.deidentification.classifier import Labelled, TokenClassifier
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers
from cds.settings import Settings

NOBODY = KnownIdentifiers()


class SlowOn(TokenClassifier):
    """Takes too long over one word, as a pattern may over a hostile note."""

    def __init__(self, word: str, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._slow = word

    def find(self, text: str) -> Iterator[Labelled]:
        if self._slow in text:
            raise TimeoutError
        return super().find(text)


@pytest.fixture(scope="module")
def reading() -> Reading:
    models = Models.in_use(Settings())
    deidentifier = Deidentifier(bytes(32), SlowOn("endlessly", models.identifiers))
    return Reading(deidentifier, QualityGate.from_bundle(models.quality), models.image.input, {})


def note(number: int, text: str) -> Document:
    return Document(f"DocumentReference/{number}", "Note", None, "text/plain", text.encode())


class Counting(TokenClassifier):
    """Remembers what it was asked."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.asked: list[str] = []

    def find(self, text: str) -> Iterator[Labelled]:
        self.asked.append(text)
        return super().find(text)


@pytest.fixture
def counted() -> tuple[Reading, list[str]]:
    models = Models.in_use(Settings())
    classifier = Counting(models.identifiers)
    gate = QualityGate.from_bundle(models.quality)
    return Reading(Deidentifier(bytes(32), classifier), gate, models.image.input, {}), classifier.asked


def test_a_new_note_does_not_have_the_others_de_identified_again(counted: tuple[Reading, list[str]]) -> None:
    reading, asked = counted
    older = [note(1, "Cough for Ada Quill."), note(2, "Fever since Monday.")]
    before = reading.notes(older, NOBODY)
    after = reading.notes([note(3, "Now short of breath."), *older], NOBODY)
    assert sorted(asked) == ["Cough for Ada Quill.", "Fever since Monday.", "Now short of breath."]
    assert after.text == f"Now short of breath.\n\n{before.text}"


def test_where_somebody_new_is_known_they_are_for_the_name_may_have_to_go(
    counted: tuple[Reading, list[str]],
) -> None:
    reading, asked = counted
    for known in (NOBODY, KnownIdentifiers.from_fhir({"name": [{"family": "Walrus"}]})):
        read = reading.notes([note(1, "Walrus came with a cough.")], known)
    assert len(asked) == 2
    assert "Walrus" not in read.text


def test_a_note_that_takes_too_long_is_counted_and_the_others_are_read(reading: Reading) -> None:
    read = reading.notes([note(1, "He talks endlessly."), note(2, "New productive cough.")], NOBODY)
    assert [seen.reference for seen in read.notes] == ["DocumentReference/2"]
    assert "productive cough" in read.text
    assert read.withheld == 1


def test_what_was_copied_forward_into_it_is_read_in_the_older_note(reading: Reading) -> None:
    copied = "Productive cough for three weeks with fever at night."
    read = reading.notes([note(1, f"He talks endlessly.\n\n{copied}"), note(2, copied)], NOBODY)
    assert "three weeks with fever" in read.text


def test_notes_that_all_take_too_long_do_not_hold_a_core(reading: Reading) -> None:
    slow = [note(number, f"He talks endlessly, {number}.") for number in range(20)]
    with pytest.raises(NoteError, match="too many of the notes"):
        reading.notes([*slow, note(20, "New productive cough.")], NOBODY)


def test_where_none_is_quick_enough_the_reason_is_said(reading: Reading) -> None:
    with pytest.raises(NoteError, match="de-identified in time"):
        reading.notes([note(1, "He talks endlessly.")], NOBODY)


def test_an_addendum_in_a_document_of_its_own_is_read_with_its_report(reading: Reading) -> None:
    report = note(1, "IMPRESSION: Small left pneumothorax. Left lower lobe pneumonia.")
    words = "On further review the line is a skin fold. There is no pneumothorax."
    beside = note(2, words)
    assert "Small left pneumothorax." in reading.notes([beside, report], NOBODY).text
    beneath = replace(beside, appends=(report.reference,))
    read = reading.notes([beneath, report], NOBODY).text
    assert "Small left pneumothorax." not in read
    assert "Left lower lobe pneumonia." in read
    assert words in read
