"""Dates (Safe Harbor C): all elements finer than a year, in every form that clinicians write."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.dates import ANY_FORM, DAY_OF_YEAR, MONTH, MONTH_OF_YEAR, WEEKDAY, understood
from cds.notes.deidentification.recognizers.alternatives import by_letter
from cds.notes.deidentification.recognizers.pattern import TIMEOUT, MarkedPatternRecognizer, compiled

LEAP_YEAR = 2024

_FRACTIONS = (2, 3, 4, 5, 6, 10)
"""Denominators of fractions, strengths, murmurs and pain scores."""
_DATE_WORD = regex.compile(
    r"\b(?:on|since|from|until|till|by|dated?|of|seen|last|through|thru|dos|doa|admitted|discharged|due|at|"
    r"visit|exam|film|us|angio|bx|cath|dose|eeg|x-?ray|cxr|ct|mri|surgery|day|radiographs?|study|note|echo|mammogram|cx|cultures?|labs?|ama|adm|"
    r"d/?c(?:'?d)?|mtg|meeting|performed|done|printed|collected|drawn|taken|repeat(?:ed)?|scheduled|appt|appointment|"
    r"effective|expires?|filled|compared to|those|dd|dt|admit|arriv(?:al|ed)|arr|sent|signed|"
    r"placed|removed|put in|f/?u|rtc|recheck|"
    r"\d/(?:1[1-9]|2\d|3[01]|[1789]|\d{1,2}/(?:\d\d){1,2})(?:,|,? and|[ ]?&|,? then|,? or|[ ]?-))[\s:(]*$",
    regex.IGNORECASE,
)
_RATIO_BEFORE = regex.compile(
    r"\b(?:pain|strength|murmur|grade|motor|power|score|scale|gcs|mmse|moca|reflex(?:es)?|pulses?|dtrs?|bp|"
    r"pressure|apgars?|visual acuity|va|level|rated?|bipap|cpap|ipap|peep|vent)\b[^.\n]{0,25}$",
    regex.IGNORECASE,
)
_RATIO_AFTER = regex.compile(
    r"^\s*(?:strength|murmur|systolic|diastolic|holosystolic|sem|pain|in severity|scale|pulses?|reflex|mmhg|mg|"
    r"ml|mcg|tab|cup|pack|ppd|inch|normal saline|ns\b|of a|hours?|days?|weeks?|throughout|bilaterally)",
    regex.IGNORECASE,
)


_BEGINS_A_LINE = regex.compile(r"(?:^|\n)[ \t]*$")
_ENTRY_AFTER = regex.compile(r"^(?:[ ](?:[-\u2013]|[012]\d[0-5]\d\b)|[ \t]+[012]?\d:[0-5]\d\b|:[ ])")
"""Of a log: "3/4 - home", "3/4 0730 arrived"."""
_MONTH_WORD = regex.compile(
    r"\b(?:in|since|around|last|this|next|until|till?|by|from|early|late|mid|of|through|thru|during|before|after|due|"
    r"between|every|each)[\s-]+$",
    regex.IGNORECASE,
)
_RANGE_BEFORE = regex.compile(
    r"(?:\bto|\d/\d\d[ ]?-|\bin|\bfrom|\b(?:army|navy|marines|exp|dated?))[ :]+$", regex.IGNORECASE
)
_VERBS = ("may", "march", "mar", "sept", "dec", "oct")
"""Said without a word such as "since" before them, these are more often something else."""
_HOLIDAY = by_letter(
    r"christmas|xmas|thanksgiving|new\s+year['\u2019]?s?|halloween|easter|ha?nukkah|passover|candlemas|martinmas|ramadan|eid(?:\s+al-\w+)?|"
    r"dussehra|vaisakhi|navar?atri|holi|mawlid|nowruz|shavuot|sukkot|tisha\s+b'?av|epiphany|"
    r"holy\s+(?:week|thursday|saturday)|maundy\s+thursday|shrove\s+tuesday|advent\s+sunday|"
    r"bank\s+holiday|d[i\u00ed]a\s+de\s+(?:los\s+)?muertos|friday\s+the\s+thirteenth|"
    r"(?-i:[Ff]east\s+of\s+(?:the\s+)?\p{Lu}[\p{L}'\u2019]+(?:\s\p{Lu}[\p{L}'\u2019]+){0,2})|"
    r"diwali|juneteenth|yom\s+kippur|rosh\s+hashanah|purim|kwanzaa|mardi\s+gras|whitsun|pentecost|michaelmas|hogmanay|"
    r"(?:good|black)\s+friday|(?:palm|super\s+bowl)\s+sunday|ash\s+wed(?:nesday|s)?|leap\s+day|valentine['\u2019]?s(?:\s+day)?|cinco\s+de\s+mayo|(?:lunar|chinese)\s+new\s+year|"
    r"(?:labou?r|memorial|veterans['\u2019]?|independence|columbus|presidents['\u2019]?|mlk|(?:mother|father)['\u2019]?s|"
    r"st\.?\s+patrick['\u2019]?s|boxing|canada|victoria|anzac|australia|armistice|groundhog|earth|"
    r"election|may|all\s+(?:saints|souls)['\u2019]?|human\s+rights|heritage|waitangi|bastille|ascension)\s+day|(?:the\s+)?(?:4th|fourth)\s+of\s+july"
)
_HOLIDAY = rf"\b(?:{_HOLIDAY})(?:\s+(?:eve|day|sunday|monday))?(?:,?\s+(?:19|20)\d\d)?\b"
_MONTHS = (
    rf"(?:{by_letter('january|february|march|april|may|june|july|august|september|october|november|december')})"
)
_ORDINAL = (
    r"(?:(?:twenty|thirty)[ -])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|"
    r"eleventh|twelfth|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teenth|twentieth|thirtieth"
)
_SPOKEN_YEAR = (
    r"(?:(?:two thousand|twenty|nineteen)(?:[ -](?:and[ ])?(?:oh|hundred|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|one|two|three|four|five|six|seven|eight|nine))*)"
)
_SPOKEN = (
    rf"\b{_MONTHS}[ ,]+(?:the[ ])?(?:{_ORDINAL})\b(?:[ ,]+(?:of[ ])?(?:{_SPOKEN_YEAR}|(?:19|20)\d\d)\b)?",
    rf"\b(?:{_ORDINAL})[ ]of[ ]{_MONTHS}\b(?:[ ,]+(?:{_SPOKEN_YEAR}|(?:19|20)\d\d)\b)?",
    rf"\b{_MONTHS}[ ](?:of[ ])?{_SPOKEN_YEAR}\b",
    rf"\b(?:on|until|till|by|since|before|after) the (?P<phi>{_ORDINAL})"
    r"(?=\s*(?:[.,;)]|$|and\b|at\b|he\b|she\b|we\b|i\b))",
)
"""A date in words, as it is dictated."""
_MISREAD_MONTH = "|".join(
    f"{month[:i]}[a-z\\d]{month[i + 1 :]}"
    for month in ("january", "february", "august", "september", "october", "november", "december")
    for i in range(1, len(month))
)
_MISREAD = (
    rf"\b(?:{by_letter(_MISREAD_MONTH)})\b(?:[ ]\d\d?)?(?:,?[ ](?:19|20)\d\d)?\b",
    r"(?<![\w./-])[\doliqsb|]{1,2}([/.-])[\doliqsb|]{1,2}\1[\doliqsb|]{2,4}(?![\w/-])"
    r"(?<=(?:\d[/.oliqsb|-]{0,5}){2})(?<=[oliqsb|][\d/.-]{0,9})",
)
"""As a scanner reads it: one letter of a month another, a letter for a digit."""
_DAY_OF_WEEK_AND_MONTH = (
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+(?:the\s+)?(?:[12]?\d|3[01])(?:st|nd|rd|th)\b"
)
_NTH = r"(?:[12]?\d|3[01])(?:st|nd|rd|th)"
_DAY_OF_MONTH = (
    rf"\b(?:on|until|till|by|since|before) the (?P<phi>{_NTH})"
    r"(?=\s*(?:[.,;)?!]|$|(?:at|he|she|it|his|her|we|they|i|and|but|with|for|patient|pt|"
    r"of (?:this|last|next|the) month)\b))"
)
_DAY_ALONE = (
    rf"(?=\d)(?<=\b(?:the|on|since|until|till|by) ){_NTH}(?=[ ]?(?:[.,;)]|$|\n))"
    rf"|(?=\d)(?<=\b(?:mon|tues?|wed|thur?s?|fri|sat|sun)(?:[a-z]{{3,6}})?\.?,? (?:the )?){_NTH}(?!\w)"
)
_PART_OF_MONTH = (
    r"\b(?:mid|early|late)[ -](?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\b(?:,? (?:19|20)\d\d)?",  # noqa: E501
    r"\b(?:spring|summer|autumn|fall|winter) (?:of )?(?:19|20)\d\d\b",
    r"\bmid-month\b",
)
"""Of a month or a year."""
_NAMED_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}"
_RELATIVE = (
    # June of last year; Feb-Jun 2023, Jan to Jun
    rf"\b{_NAMED_MONTH}\.? of (?:last|this|next|that|the same) year\b",
    rf"\b(?-i:(?=\p{{Lu}})){_NAMED_MONTH}\.?(?: ?[-\u2013/] ?| to )"
    rf"(?-i:(?=\p{{Lu}})){_NAMED_MONTH}\b(?:,? (?:19|20)\d\d)?",
    # adm 8.30, d/c 9.6
    r"\b(?:adm(?:it(?:ted)?)?|d/c(?:'?d)?|dis?ch(?:arged?)?|doa|dod|dos|rtc|surgery|visit) "
    r"(?P<phi>(?:0?[1-9]|1[0-2])\.(?:3[01]|[12]\d|0?[1-9]))(?![\w%]|[./-]\d|"
    r" ?(?:mg|m?cg|ml|g|units?|cm|mm|l|hours?|days?|weeks?)\b)",
    # 4.ix.24, 4 IX 24
    r"(?=\d\d?[ ./-][ivx])(?<![\w./-])(?:3[01]|[12]\d|0?[1-9])(?:([./-])(?:i{1,3}|iv|vi{0,3}|ix|xi{0,2})\1|"
    r" (?:i{2,3}|vi{1,3}|ix|xi{1,2}) )(?:19|20)?\d\d(?![\w/%.])",
)
"""Said from the time of the note, by two months, without strokes, or in Roman numerals."""
_MONTH_ALONE_AFTER = regex.compile(r"\s*(?:[,;.)]|$|\n|to\b|and\b)")
"""Behind "Feb" these say that it is a month."""


class DateRecognizer(MarkedPatternRecognizer):
    """Calendar dates, months and holidays, but not fractions, scores and pressures; times and bare years stay."""

    patterns = {  # noqa: RUF012
        Category.DATE: (
            ANY_FORM,
            DAY_OF_YEAR,
            MONTH_OF_YEAR,
            MONTH,
            *compiled(
                _HOLIDAY,
                _DAY_OF_WEEK_AND_MONTH,
                _DAY_OF_MONTH,
                _DAY_ALONE,
                *_PART_OF_MONTH,
                *_RELATIVE,
                *_SPOKEN,
                *_MISREAD,
            ),
        )
    }
    score = 0.78
    """Above that of a bare number, which ``20240314`` could be too."""

    def spans(self, category: Category, pattern: regex.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
        accepted = _ACCEPTED.get(pattern)
        for match in pattern.finditer(text, timeout=TIMEOUT):
            start, end = match.span("phi" if "phi" in pattern.groupindex else 0)
            if accepted is None or accepted(match):
                yield _with_weekday(text, start), end


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


def _with_weekday(text: str, start: int) -> int:
    near = max(0, start - len("Wednesday, the "))
    return next((m.start() for m in WEEKDAY.finditer(text, near, start) if m.end() == start), start)


def _exists(match: regex.Match[str]) -> bool:
    return understood(match, year=LEAP_YEAR) is not None


def _is_month(match: regex.Match[str]) -> bool:
    """Whether a month's name alone is one: "since may", "in March" or "January", not "may" and not "Dec"."""
    if _MONTH_WORD.search(match.string, max(0, match.start() - 12), match.start()):
        return match[0][0].isupper() or match[0] not in _VERBS
    if not match[0][0].isupper() or match[0].casefold() in _VERBS:
        return False
    return len(match[0]) > 3 or bool(_MONTH_ALONE_AFTER.match(match.string, match.end()))


def _is_day(match: regex.Match[str]) -> bool:
    """Whether ``3/14`` or ``3-14`` is a day rather than a ratio or a range."""
    if not _exists(match):
        return False
    before, after = match.string[max(0, match.start() - 40) : match.start()], match.string[match.end() :][:30]
    if _DATE_WORD.search(before) or (_BEGINS_A_LINE.search(before) and _ENTRY_AFTER.search(after)):
        return not _RATIO_AFTER.search(after)
    of = int(match["day"])
    fraction = of in _FRACTIONS and int(match["month"]) <= of and not match["month"].startswith("0")
    if match["sep"] == "-" or fraction:
        return False
    return not (_RATIO_BEFORE.search(before) or _RATIO_AFTER.search(after))


def _is_month_of_year(match: regex.Match[str]) -> bool:
    """Whether ``6/88`` is said of a time."""
    before = match.string[max(0, match.start() - 12) : match.start()]
    return bool(_MONTH_WORD.search(before) or _RANGE_BEFORE.search(before))


_ACCEPTED = {ANY_FORM: _exists, DAY_OF_YEAR: _is_day, MONTH_OF_YEAR: _is_month_of_year, MONTH: _is_month}
