"""What the EHR tells of the patient is found however it is written."""

import pytest

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"given": ["Jonathan", "Quincy"], "family": "Okonkwo-Parkinson"}, {"given": ["William"]}],
    "birthDate": "1961-03-04",
    "identifier": [{"value": "SLT-448812"}],
    "telecom": [
        {"system": "phone", "value": "+1 617-555-0187"},
        {"system": "email", "value": "jqop@mail.example"},
    ],
    "address": [{"line": ["14 Alder Street"], "city": "Medford", "state": "MA", "postalCode": "02155"}],
    "contact": [
        {"name": {"text": "Wilhelmina Achterberg"}, "telecom": [{"system": "phone", "value": "617 555 0102"}]}
    ],
}
PRACTITIONER = {
    "resourceType": "Practitioner",
    "name": [{"given": ["Seo-yeon"], "family": "Hwang", "prefix": ["Dr."]}],
}
RELATED = {"resourceType": "RelatedPerson", "name": [{"given": ["Temperance"], "family": "Vale"}]}
ORGANIZATION = {"resourceType": "Organization", "name": "Tidewater Lung Associates"}

KNOWN = KnownIdentifiers.from_fhir(PATIENT, [PRACTITIONER], [RELATED], [ORGANIZATION])
DEIDENTIFIER = Deidentifier(b"k" * 32)


def found(text: str) -> list[tuple[Category, str]]:
    return [(one.category, text[one.start : one.end]) for one in DEIDENTIFIER.deidentify(text, KNOWN).replaced]


@pytest.mark.parametrize(
    "name",
    [
        "Jonathan Okonkwo-Parkinson",
        "OKONKWO-PARKINSON, JONATHAN Q.",
        "okonkwo-parkinson",
        "Jonathan Q. Okonkwo",
        "Jon",
        "Quincy",
        "J. Okonkwo",
        "J.O.",
        "Okonkwo's",
        "Okonkow",
        "Jonathon",
        "Bill",
        "Hwang",
        "Wilhelmina",
        "Achterburg",
        "Temperance Vale",
    ],
)
def test_names_reordered_shortened_and_misspelt(name: str) -> None:
    text = f"today {name} was coughing"
    [(category, said)] = found(text)
    assert category is Category.NAME
    assert said == name.removesuffix("'s")


@pytest.mark.parametrize(
    "text", ["has Parkinson's disease", "he will improve", "the bill was paid", "a veil of fluid"]
)
def test_words_that_are_names_elsewhere_stay(text: str) -> None:
    assert DEIDENTIFIER.deidentify(text, KNOWN).text == text


def test_every_form_of_a_person_has_the_same_surrogate() -> None:
    text = "Jonathan Okonkwo-Parkinson; Mr. Okonkwo; Jon; J.O.; OKONKWO, JONATHAN"
    assert len({one.surrogate for one in DEIDENTIFIER.deidentify(text, KNOWN).replaced}) == 1


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("SLT-448812", Category.RECORD),
        ("slt 448812", Category.RECORD),
        ("617-555-0187", Category.PHONE),
        ("(617) 555.0187", Category.PHONE),
        ("6175550187", Category.PHONE),
        ("JQOP@MAIL.EXAMPLE", Category.EMAIL),
        ("14 Alder St.", Category.ADDRESS),
        ("14 alder street", Category.ADDRESS),
        ("MEDFORD", Category.ADDRESS),
        ("02155", Category.ADDRESS),
        ("Tidewater Lung Associates", Category.FACILITY),
        ("03/04/1961", Category.BIRTH_DATE),
        ("3/4/61", Category.BIRTH_DATE),
        ("1961-03-04", Category.BIRTH_DATE),
        ("March 4th, 1961", Category.BIRTH_DATE),
        ("4 Mar 1961", Category.BIRTH_DATE),
        ("03041961", Category.BIRTH_DATE),
    ],
)
def test_values_in_any_writing(said: str, category: Category) -> None:
    text = f"noted {said} in passing"
    [(seen, span)] = found(text)
    assert seen is category
    assert span.strip(".") == said.strip(".")


def test_malformed_resources_are_passed_over() -> None:
    odd = {
        "name": "x",
        "telecom": [None, {"value": 3}],
        "address": {"line": "1 A St"},
        "birthDate": "1961",
        "id": 7,
    }
    known = KnownIdentifiers.from_fhir(odd, [{"name": [{"family": ""}]}], [{}], [{"name": None}])
    assert known.people == ()
    assert known.birth_date is None


def test_the_representation_tells_nothing() -> None:
    assert "Jonathan" not in repr(KNOWN)
    assert "Jonathan" not in repr(KNOWN.people)
