"""States and countries, which Safe Harbor lets stand, even within an address."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from cds.notes.deidentification.words import phrases

STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|"
    "OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)
STATE_NAMES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|"
    "Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|"
    "Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|"
    "Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|"
    "Washington|West Virginia|Wisconsin|Wyoming"
)
_NAMES = "|".join(
    sorted(map(regex.escape, [*STATE_NAMES.casefold().split("|"), *phrases("regions")]), key=len, reverse=True)
)
REGION = rf"(?:(?:{STATES})|(?i:(?:the )?(?:{_NAMES})))"
_LAST = regex.compile(
    rf"(?<![\w'\u2019-])(?P<region>{REGION}|(?<=,\s{{1,3}})\p{{Lu}}{{2}}(?=\s+\d{{5}}))(?![\w'\u2019-])"
    rf"(?=[\W]*(?:\d{{5}}(?:-\d{{4}})?)?[\W]*$)"
)
"""At the end of an address, but for a ZIP code."""
_REGION_NAMED = regex.compile(rf"(?<![\w'\u2019-])(?:{_NAMES})(?![\w'\u2019-])", regex.IGNORECASE)
_REGION_WORDS = frozenset(_NAMES.replace("\\", "").replace("|", " ").split())
_AROUND = max(map(len, _NAMES.split("|")))
TOWNS_TOO = frozenset({"new york", "washington", "lebanon"})
_EDGE = " \t\n,.;>?"


def finer_than_a_state(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What stands before and behind the state or country that ends an address; nothing of one that is no more."""
    region = _LAST.search(text, start, end)
    if region is None or (region.start() == start and region["region"].casefold() in TOWNS_TOO):
        yield start, end
        return
    for first, last in ((start, region.start()), (region.end(), end)):
        said = text[first:last]
        if said.strip(_EDGE):
            yield first + len(said) - len(said.lstrip(_EDGE)), first + len(said.rstrip(_EDGE))


def region_around(text: str, start: int, end: int) -> str:
    """The state or country of which this is the name or a part: "El Salvador" of "Salvador"; else nothing."""
    if not all(word.casefold() in _REGION_WORDS for word in text[start:end].split()):
        return ""
    around = _REGION_NAMED.finditer(text, max(0, start - _AROUND), end + _AROUND)
    return next((named[0] for named in around if named.start() <= start and end <= named.end()), "")
