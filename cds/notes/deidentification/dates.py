"""Dates as clinicians write them: found, understood, and written again a number of days later in the same form."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date, timedelta

import regex

MONTHS = tuple(calendar.month_name[i].lower() for i in range(1, 13))

_NAME = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])\.?"
)
_BEGINNING = r"(?:ja|fe|ma|ap|ju|au|se|oc|no|de)"
"""Of a month, as a quick look."""
_SLIPPED = (
    r"(?P<name>jan[uary]{3,5}|feb[ruay]{4,6}|mar[ch]{2}|apr[il]{2}|aug[ust]{3}|sep[tembr]{5,7}|oct[ober]{4}|"
    r"nov[embr]{5}|dec[embr]{5})(?![a-z])"
)
"""A month's name with letters swapped, doubled or left out."""
_PLAIN = r"(?-i:(?=[A-Z])|(?!may|mar|dec|oct|sept))"
"""Begins with a capital, or is a month that is no other word or abbreviation."""
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?P<ordinal>st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_SHORT_YEAR = r"(?P<year>(?:19|20)\d\d|\d\d)"
_EDGE = r"(?<![\w./])(?<!(?<!\d/\d\d|\d/\d{4})-)"
"""A date may end a period, behind a hyphen and another."""

_ALONE = r"(?<![\w.])"
_WORD = r"\b"

_WRITTEN = (
    # 2024-03-14, 2024/3/14, and the date of 2024-03-14T10:00
    rf"{_EDGE}{_YEAR}(?P<sep>[-/.])(?P<month>\d{{1,2}})(?P=sep)(?P<day>\d{{1,2}})(?!\d)",
    # 20240314 and the date of HL7's 20240314103000
    _ALONE + r"(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?=\b|\d{4}\b|\d{6}\b)",
    # 03/14/2024, 3-14-24, 14/03/2024
    rf"{_EDGE}(?P<month>\d{{1,2}})(?P<sep>[-/])(?P<day>\d{{1,2}})(?P=sep){_SHORT_YEAR}(?![\d/])",
    rf"{_EDGE}(?P<month>\d{{1,2}})\.(?P<day>\d{{1,2}})\.{_YEAR}(?!\d)",
    # Janaury 14, 2024; 14 Janaury 2024
    rf"{_WORD}{_SLIPPED}[\s-]*{_DAY},?\s+{_YEAR}(?!\d)",
    rf"{_EDGE}{_DAY}(?:\s+of)?[\s-]*{_SLIPPED}[\s,-]*{_YEAR}(?!\d)",
    # 3.14.24
    rf"{_EDGE}(?P<month>0?[1-9]|1[0-2])\.(?P<day>0?[1-9]|[12]\d|3[01])\.(?P<year>\d\d)"
    r"(?!\w|\.\d|%|[ ]?(?:mm|cm|mg|ml)\b)",
    # 14.3.24
    rf"{_EDGE}(?P<day>1[3-9]|2\d|3[01])\.(?P<month>0?[1-9]|1[0-2])\.(?P<year>\d\d)"
    r"(?!\w|\.\d|%|[ ]?(?:mm|cm|mg|ml)\b)",
    # 03 14 2024, 9 26 2026
    rf"{_EDGE}(?P<month>\d\d?)[ ](?P<day>\d\d?)[ ]{_YEAR}(?![\d-])",
    # 03 / 14 / 2024, as forms with printed strokes have it
    rf"{_EDGE}(?P<month>\d\d?)[ ](?P<sep>[-/])[ ](?P<day>\d\d?)[ ](?P=sep)[ ]{_SHORT_YEAR}(?![\d/])",
    # 2024 Mar 14
    rf"{_EDGE}{_YEAR}[ -]{_NAME}[ -]{_DAY}(?!\w)",
    # March 14, 2024; Mar 14th '24
    rf"{_WORD}{_NAME}[\s-]*{_DAY}(?:,\s*|\s+|-|,?\s*')(?P<year>(?:19|20)\d\d|(?<=')\d\d)(?!\d)",
    # 14 March 2024, 14-Mar-24, 14Mar2024, 14/Mar/2024, the 14th of March, 2024
    rf"{_EDGE}{_DAY}(?:\s+of)?[\s/-]*{_NAME}[\s,/-]*{_SHORT_YEAR}(?![\d:/])",
    # March 2024, Mar '24
    rf"{_WORD}{_NAME},?[\s-]+(?:of\s+)?(?:{_YEAR}|['\u2019](?P<year>\d\d))(?!\d)",
    # 03/2024, 2024-03
    rf"{_EDGE}(?P<month>0?[1-9]|1[0-2])[/-]{_YEAR}(?!\d)",
    rf"{_EDGE}{_YEAR}-(?P<month>0[1-9]|1[0-2])(?![\w-])",
    # March 14; 14 March, 14Mar. Not "may 5 mg" and not "march 2 blocks"
    rf"{_WORD}{_PLAIN}{_NAME}[\s-]*{_DAY}(?!\d|:\d\d|\s*(?:m?c?g|ml|units?|%|times|blocks|days?|weeks?)\b)",
    rf"{_EDGE}{_DAY}(?:\s+of)?[\s-]*{_PLAIN}{_NAME}(?!\w)",
)
"""Each form with what must stand before it."""

FORMS: tuple[regex.Pattern[str], ...] = tuple(regex.compile(form, regex.IGNORECASE) for form in _WRITTEN)
"""Every written form with its parts as named groups, the most telling first."""


def _of(begins: str, where: str) -> str:
    """The forms that begin so; ``where`` is a quick look at what follows."""
    forms = "|".join(form.removeprefix(begins) for form in _WRITTEN if form.startswith(begins))
    return f"{where}{begins}(?:{forms})"


ANY_FORM = regex.compile(
    "|".join(
        (
            _of(_ALONE, r"(?=[12]\d{7})"),
            _of(_EDGE, rf"(?=\d{{1,4}}(?:[-/.]\d|[ ][-/]?[ ]?\d|(?:st|nd|rd|th)?(?:\s+of)?[\s/-]*{_BEGINNING}))"),
            _of(_WORD, rf"{_WORD}(?={_BEGINNING})"),
        )
    ),
    regex.IGNORECASE,
)
"""All of them in one reading of the text: at each place the most telling that fits."""

WEEKDAYS = tuple(day.lower() for day in calendar.day_name)
WEEKDAY = regex.compile(
    r"\b(?P<weekday>mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?P<whole>day)?(?P<after>\.?,?\s+)(?:the\s+)?",
    regex.IGNORECASE,
)
"""What may stand before a date: left beside a shifted one, it would tell the shift but for whole weeks."""

DAY_OF_YEAR = regex.compile(
    r"(?<![\w./])(?<!(?<!\d/\d{1,2})-)(?P<month>0?[1-9]|1[0-2])(?P<sep>[/-])(?P<day>[12]\d|3[01]|0?[1-9])"
    r"(?![\d/%]|-\d(?!\d?/\d))"
)
"""``3/14``: a date only where nothing says that it is a fraction, a score or a pressure."""

MONTH_OF_YEAR = regex.compile(r"(?<![\w./-])(?P<month>0?[1-9]|1[0-2])/(?P<year>[3-9]\d)(?![\w/%.-])")
"""``6/88``: a date only behind a word that asks for one."""

MONTH = regex.compile(rf"\b{_NAME}(?<!\.)(?!\w)", regex.IGNORECASE)
"""``January`` or ``Jan``, alone: a date unless it is the verb "may", or "march"."""


def understood(match: regex.Match[str], *, year: int) -> date | None:
    """The date that a match of one of the forms states; ``year`` where it states none. None: no such day."""
    said = {k: v for k, v in match.groupdict().items() if v}
    month, day = _month(said), int(said.get("day", 15))
    if _day_first(match):
        month, day = day, month
    try:
        return date(_year(said["year"]) if "year" in said else year, month, day)
    except ValueError:
        return None


def shifted(text: str, days: int, *, year: int) -> str | None:
    """``text``, one written date, ``days`` later and in the same form; None where it is no date."""
    weekday = WEEKDAY.match(text)
    if weekday:
        rest = shifted(text[weekday.end() :], days, year=year)
        return rest and _weekday(weekday, days) + rest
    for form in (*FORMS, DAY_OF_YEAR, MONTH_OF_YEAR, MONTH):
        match = form.fullmatch(text)
        if match and (day := understood(match, year=year)):
            return _rewritten(match, day + timedelta(days=days))
    return None


def _weekday(match: regex.Match[str], days: int) -> str:
    """The day of the week ``days`` later, written whole or short as it was."""
    at = next(i for i, day in enumerate(WEEKDAYS) if day.startswith(match["weekday"][:3].lower()))
    name = WEEKDAYS[(at + days) % 7]
    return _cased(name if match["whole"] else name[:3], match["weekday"]) + match["after"]


def _rewritten(match: regex.Match[str], day: date) -> str:
    said = match.groupdict()
    swapped = _day_first(match)
    new = {
        "year": f"{day.year}"[-len(said.get("year") or "") :],
        "month": _padded(day.day if swapped else day.month, said.get("month")),
        "day": _padded(day.month if swapped else day.day, said.get("day")),
        "name": _named(day.month, said.get("name") or ""),
        "ordinal": _ordinal(day.day),
    }
    text, start = match.string, match.start()
    out, at = [], start
    for group in sorted((g for g in new if said.get(g)), key=match.start):
        out += [text[at : match.start(group)], new[group]]
        at = match.end(group)
    return "".join([*out, text[at : match.end()]])


def _day_first(match: regex.Match[str]) -> bool:
    """Whether ``14/03/2024`` was meant: month first, as in the United States, unless that cannot be."""
    said = match.groupdict()
    year_first = said.get("year") and match.start("year") == match.start()
    return bool(said.get("month") and said.get("day") and not year_first and int(said["month"]) > 12)


def _month(said: Mapping[str, str]) -> int:
    if "name" in said:
        return next(i for i, name in enumerate(MONTHS, 1) if name.startswith(said["name"][:3].lower()))
    return int(said["month"])


def _year(text: str) -> int:
    """Two digits: the hundred years up to 2049."""
    year = int(text)
    return year if len(text) == 4 else year + (2000 if year < 50 else 1900)


def _padded(number: int, like: str | None) -> str:
    return f"{number:02d}" if like and like.startswith("0") else str(number).zfill(len(like) if like == "" else 1)


def _named(month: int, like: str) -> str:
    name = MONTHS[month - 1]
    return _cased(name if len(like) > 4 or like.lower() in MONTHS else name[:3], like)


def _cased(name: str, like: str) -> str:
    return name.upper() if like.isupper() else name.capitalize() if like[:1].isupper() else name


def _ordinal(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
