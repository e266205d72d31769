"""What finds identifiers, a file per kind; each is a Presidio ``EntityRecognizer``, so that more can be added."""

from __future__ import annotations

from presidio_analyzer import EntityRecognizer

from cds.notes.deidentification.recognizers.ages import AgeRecognizer
from cds.notes.deidentification.recognizers.contact import ContactRecognizer
from cds.notes.deidentification.recognizers.dates import BirthDateRecognizer, DateRecognizer
from cds.notes.deidentification.recognizers.names import NameRecognizer
from cds.notes.deidentification.recognizers.numbers import NumberRecognizer
from cds.notes.deidentification.recognizers.organisations import OrganisationRecognizer
from cds.notes.deidentification.recognizers.places import PlaceRecognizer


def recognizers() -> list[EntityRecognizer]:
    """All that need to know nothing of the patient (see :mod:`.known` for what does)."""
    return [
        DateRecognizer(),
        BirthDateRecognizer(),
        AgeRecognizer(),
        NumberRecognizer(),
        ContactRecognizer(),
        PlaceRecognizer(),
        OrganisationRecognizer(),
        NameRecognizer(),
    ]
