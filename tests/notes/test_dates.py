"""A date is shifted in the form in which it was written, and intervals stay."""

from datetime import date

import pytest

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.dates import FORMS, shifted, understood
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers

WRITTEN = [
    ("03/14/2024", "03/24/2024"),
    ("3/14/24", "3/24/24"),
    ("03-14-2024", "03-24-2024"),
    ("14/03/2024", "24/03/2024"),
    ("14.03.2024", "24.03.2024"),
    ("2024-03-14", "2024-03-24"),
    ("20240314", "20240324"),
    ("March 14, 2024", "March 24, 2024"),
    ("Mar 14 2024", "Mar 24 2024"),
    ("MARCH 14th, 2024", "MARCH 24th, 2024"),
    ("14 March 2024", "24 March 2024"),
    ("14-Mar-24", "24-Mar-24"),
    ("the 22nd of March, 2024", "the 1st of April, 2024"),
    ("March 30", "April 9"),
    ("March 2024", "March 2024"),
    ("12/2023", "12/2023"),
    ("12/25/2023", "1/4/2024"),
    ("5/28", "6/7"),
    ("Tuesday, March 14, 2023", "Friday, March 24, 2023"),
    ("Fri 8/18", "Mon 8/28"),
    ("THURS 20 APRIL", "SUN 30 APRIL"),
    ("3.14.24", "3.24.24"),
    ("14.3.24", "24.3.24"),
    ("03 14 2024", "03 24 2024"),
    ("9 6 2026", "9 16 2026"),
    ("03 / 14 / 2024", "03 / 24 / 2024"),
    ("2024 Mar 14", "2024 Mar 24"),
    ("14/Mar/2024", "24/Mar/2024"),
    ("14Mar", "24Mar"),
    ("2024-03", "2024-03"),
    ("jan 3", "jan 13"),
    ("Janaury 14, 2024", "January 24, 2024"),
]


@pytest.mark.parametrize(("written", "later"), WRITTEN)
def test_ten_days_later_in_the_same_form(written: str, later: str) -> None:
    bare, moved = written.removeprefix("the "), later.removeprefix("the ")
    assert shifted(bare, 10, year=2023) == moved


@pytest.mark.parametrize("text", ["13/45/2024", "02/30/2024", "2024-13-01", "pressure 120/80", "tomorrow"])
def test_what_is_no_date_is_not_shifted(text: str) -> None:
    assert shifted(text, 10, year=2023) is None


@pytest.mark.parametrize("written", [w for w, _ in WRITTEN])
def test_every_form_is_found_in_a_sentence(written: str) -> None:
    text = f"He was seen on {written} for chest pain."
    found = Deidentifier(bytes(32)).deidentify(text, KnownIdentifiers()).replaced
    assert [(one.category, text[one.start : one.end]) for one in found] == [
        (Category.DATE, written.removeprefix("the "))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, then 110/70",
        "strength 5/5 throughout",
        "strength 3/5, 4/5 and 5/5; 1/2 of normal, 3/4 of a cup, 2/3 of the lung",
        "2/6 systolic murmur at the base",
        "pain 7/10, now 3/10",
        "reflexes 2/4 and symmetric",
        "takes 1/2 tablet",
        "smokes 1-2 packs, 10-12 drinks a week",
        "Heart rate may 5 minutes later fall",
        "furosemide may 40 mg",
        "GCS 15/15, MMSE 28/30",
        "BIPAP 12/5, mass of 3.1.12 cm, may 3 times, mar 5",
        "visual acuity 20/20",
        "at 10:30, in 2019, every 6-8 hours",
        "HbA1c 7.1, WBC 12.4, EF 55-60%",
        "second degree burn, third toe; may proceed; 9/88 of normal",
    ],
)
def test_measurements_are_no_dates(text: str) -> None:
    assert Deidentifier(bytes(32)).deidentify(text, KnownIdentifiers()).text == text


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("films of 8/11 and 9/2", "9/2"),
        ("Admit: 3/6", "3/6"),
        ("dd 3/10  dt 3/11", "3/10"),
        ("home until the 20th, then rehab", "20th"),
        ("leaves on Thursday the 12th", "Thursday the 12th"),
        ("f/u 3/10", "3/10"),
        ("home 3/14-3/18", "3/18"),
        ("period 2/3/21-4/3/21", "4/3/21"),
        ("\n3/4 - home", "3/4"),
        ("served in 6/88", "6/88"),
        ("seen march third twenty twenty one", "march third twenty twenty one"),
        ("admitted the twelfth of may", "twelfth of may"),
        ("biopsy on the nineteenth.", "nineteenth"),
        ("surgery Novembcr 3, 2021", "Novembcr 3, 2021"),
        ("faxed 0l/17/2023", "0l/17/2023"),
        ("not well since Boxing Day", "Boxing Day"),
    ],
)
def test_short_dates_by_their_context(text: str, date: str) -> None:
    found = Deidentifier(bytes(32)).deidentify(text, KnownIdentifiers()).replaced
    assert date in [text[one.start : one.end] for one in found if one.category is Category.DATE]


def test_intervals_stay_across_forms_and_notes_of_a_patient() -> None:
    deidentifier, known = Deidentifier(b"k" * 32), KnownIdentifiers(subject="Patient/1")
    dates = []
    for note in ("Admitted 02/27/2024.", "Seen March 3, 2024.", "Film 2024-03-09T08:00."):
        text = deidentifier.deidentify(note, known).text
        match = next(m for form in FORMS if (m := form.search(text)))
        dates.append(understood(match, year=2024))
    first, second, third = (day for day in dates if day)
    assert (second - first).days == (date(2024, 3, 3) - date(2024, 2, 27)).days
    assert (third - first).days == (date(2024, 3, 9) - date(2024, 2, 27)).days
    assert first != date(2024, 2, 27)
