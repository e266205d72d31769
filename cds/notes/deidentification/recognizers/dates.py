"""Dates (Safe Harbor C): all elements finer than a year, in every form that clinicians write."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.dates import DAY_OF_YEAR, FORMS, understood
from cds.notes.deidentification.recognizers.pattern import TIMEOUT, MarkedPatternRecognizer, compiled

LEAP_YEAR = 2024

_FRACTIONS = (2, 3, 4, 5, 6, 8, 10)
"""Denominators of fractions, strengths, murmurs and pain scores."""
_DATE_WORD = regex.compile(
    r"\b(?:on|since|from|until|till|by|dated?|of|seen|last|through|thru|dos|doa|admitted|discharged|due|at|"
    r"visit|exam|film|x-?ray|cxr|ct|mri|surgery|day)[\s:(]*$",
    regex.IGNORECASE,
)
_RATIO_BEFORE = regex.compile(
    r"\b(?:pain|strength|murmur|grade|motor|power|score|scale|gcs|mmse|moca|reflex(?:es)?|pulses?|dtrs?|bp|"
    r"pressure|apgars?|visual acuity|va|level|rated?)\b[^.\n]{0,25}$",
    regex.IGNORECASE,
)
_RATIO_AFTER = regex.compile(
    r"^\s*(?:strength|murmur|systolic|diastolic|holosystolic|sem|pain|in severity|scale|pulses?|reflex|mmhg|mg|"
    r"ml|mcg|tab|cup|pack|ppd|inch|normal saline|ns\b|of a|hours?|days?|weeks?|throughout|bilaterally)",
    regex.IGNORECASE,
)


class DateRecognizer(MarkedPatternRecognizer):
    """Calendar dates, but not fractions, scores and pressures; times of day and bare years stay."""

    patterns = {Category.DATE: (*FORMS, DAY_OF_YEAR)}  # noqa: RUF012
    score = 0.78
    """Above that of a bare number, which ``20240314`` could be too."""

    def spans(self, category: Category, pattern: regex.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
        for match in pattern.finditer(text, timeout=TIMEOUT):
            if understood(match, year=LEAP_YEAR) is None:
                continue
            if pattern is not DAY_OF_YEAR or _is_day(match):
                yield match.span()


class BirthDateRecognizer(MarkedPatternRecognizer):
    """A date said to be that of birth, in whatever form: it is not shifted but taken out."""

    patterns = {  # noqa: RUF012
        Category.BIRTH_DATE: compiled(
            r"\b(?:dob|d\.o\.b\.?|date of birth|birth ?date|birthday|born(?: on)?)\b[\s:=(]*"
            r"(?P<phi>(?:\w{3,9}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{2,4})|(?:\d{1,2}(?:st|nd|rd|th)?[\s-]*(?:of\s+)?"
            r"[a-z]{3,9}\.?[\s,-]*\d{2,4})|(?:\d[\d/.-]{3,9}\d)|(?:(?:19|20)\d\d\b))"
        )
    }
    score = 0.9


def _is_day(match: regex.Match[str]) -> bool:
    """Whether ``3/14`` or ``3-14`` is a day rather than a ratio or a range."""
    before, after = match.string[max(0, match.start() - 40) : match.start()], match.string[match.end() :][:30]
    if _DATE_WORD.search(before):
        return not _RATIO_AFTER.search(after)
    if match["sep"] == "-" or (int(match["day"]) in _FRACTIONS and not match["month"].startswith("0")):
        return False
    return not (_RATIO_BEFORE.search(before) or _RATIO_AFTER.search(after))
