"""Where a person lives (Safe Harbor B): all that is finer than a state."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.recognizers.alternatives import by_letter
from cds.notes.deidentification.recognizers.pattern import TIMEOUT, MarkedPatternRecognizer
from cds.notes.deidentification.recognizers.regions import STATE_NAMES, STATES, finer_than_a_state
from cds.notes.deidentification.words import listed

CAP = r"(?:(?:St|Ste|Mt|Ft|\p{Lu})\.|\p{Lu}[\p{L}'\u2019-]*)"
_STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Ter|Circle|Cir|"
    r"Highway|Hwy|Parkway|Pkwy|Square|Sq|Trail|Trl|Loop|Alley|Plaza|"
    r"Pike|Turnpike|Tpke|Row|Crescent|Cres|Path|Run|Walk|Close|Mews|Cove|Hollow|Trace|Spur|Ridge|Bend|Crossing|STREET|AVENUE|AVE|ROAD|RD|LANE|DRIVE|COURT|BLVD)"
)
_STREET_OF_EUROPE = (
    r"(?i:\p{L}{3}(?:stra(?:ss|\u00df)e|gass?e|platz|weg|allee|straat|laan|plein|gracht|dreef|gatan?|v\u00e4g(?:en)?|"
    r"vej|veien|vegen|plads|plass|br\u00e1?ut|str\u00e6ti|katu|kuja|kaari)|"
    r"\b(?:stra(?:ss|\u00df)e|gasse|platz|plads|utca|\u00fat|u\.))"
)
"""How its name ends: the number of the house stands behind it."""
_SAFE_STATES = (
    "AK|AZ|AR|CA|CO|DE|DC|FL|GA|IL|IA|KS|KY|MN|MO|NE|NV|NH|NJ|NM|NY|NC|ND|OH|RI|SC|SD|TN|TX|UT|VT|WV|WI|WY"
)
"""Those that after a capital word and a comma are no credential and no clinical abbreviation."""
_ANY_STATE = by_letter(f"{STATES}|{STATE_NAMES}")
_STATE_BEHIND_A_TOWN = by_letter(f"{_SAFE_STATES}|{STATE_NAMES}")
_KINDS = frozenset(
    "clinic hospital center health church school college ambulance jail prison shelter library ranch".split()  # noqa: SIM905
)
CITY = rf"{CAP}(?:[ ]{CAP}){{0,2}}"


_POST_CODE = (
    r"(?:[A-Z]{1,2}\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{2}|[A-Z]\d[A-Z][ ]\d[A-Z]\d|[A-Z]\d[\dW][ ][A-Z\d]{4})(?!\w)"
)
"""Of Britain, Canada and Ireland."""


class PlaceRecognizer(MarkedPatternRecognizer):
    """Streets, towns, ZIP codes and post codes. Case matters: names have capitals."""

    patterns = {  # noqa: RUF012
        Category.ADDRESS: (
            regex.compile(
                r"\b\d{1,6}(?:[A-Za-z]|[ ]1/2)?[ ]+(?:[NSEW]{1,2}\.?[ ]+)?"
                rf"(?:(?:{CAP}|\d{{1,3}}(?:st|nd|rd|th))[ ]+){{1,4}}"
                rf"{_STREET}\b\.?(?:,?[ ]+(?:Apt|Apartment|Unit|Suite|Ste|Floor|Fl|Rm|#)\.?[ ]*#?\w+)?"
                rf"(?:,?\s+{CITY},?\s+(?:{_ANY_STATE})\b|,\s+{CITY}(?=,?\s+\d{{5}}(?!\d)))?"
                r"(?:,?\s+\d{5}(?:-\d{4})?)?"
            ),
            regex.compile(rf"\b(?:\d{{1,4}}[A-Za-z]?[ ]{CITY}(?:,?\s+{CITY}){{0,3}},?\s+)?{_POST_CODE}"),
            regex.compile(
                rf"(?<=[\p{{L}}.][ ])\d{{1,4}}[A-Za-z]?\b(?<={_STREET_OF_EUROPE}[ ]\w{{1,5}})"
                r"(?![.,]\d|[ ]?(?i:mg|m?cg|m?l|cm|mm|%))"
            ),
            # A ship or a unit, as the military post has it.
            regex.compile(
                r"\b(?:US[A-Z]{1,3}[ ]\p{Lu}[\p{L}'-]*|(?:Unit|PSC)[ ]\d+,?[ ]Box[ ]\d+),?\s+"
                r"[FAD]PO,?[ ]A[AEP],?[ ]\d{5}(?:-\d{4})?"
            ),
            regex.compile(r"\b(?i:p\.?\s?o\.?\s?box|postbox|postfach|postbus)\s+\d+\b"),
            regex.compile(
                r"\b(?i:hwy|highway|route|rte|(?:state|county|farm) (?:route|road|rd))\.?[ ]\d{1,4}[A-Z]?\b"
                r"|\bI-(?!1(?:11|2[345]|31)\b)\d{1,3}\b"
            ),
            regex.compile(rf"\b(?P<phi>{CITY},?\s+(?:{_ANY_STATE})\.?,?\s+\d{{5}}(?:-\d{{4}})?)\b"),
            regex.compile(
                rf"\b(?:{by_letter(STATES)})\.?\s+(?P<phi>(?=(?:[OlISB]?\d){{3}})[\dOlISB]{{5}}(?:-\d{{4}})?)\b"
            ),
            regex.compile(r"(?i:\bzip(?:\s?code)?)\W{0,3}(?P<phi>\d{5}(?:-\d{4})?)\b"),
            regex.compile(rf"\b(?P<phi>{CITY}),\s(?:{_STATE_BEHIND_A_TOWN})\b"),
            regex.compile(
                r"\b(?i:lives?|living|resid(?:es?|ing|ent)|moved|relocated|travel(?:l?ed|s)?|flew|native|visiting|"
                r"grew up|born|raised|home|winters?|summers?|vacation(?:s|ed)?|married|buried|stationed|came|"
                r"drove|elder|refugee|(?:flown|driven|brought|airlifted|bused|flies|drives|back|home)"
                r"(?: (?:in|here|over|back|up|down))?)"
                rf"[ ](?i:in|at|of|to|from|near|outside)[ ](?P<phi>{CITY})"
            ),
            regex.compile(
                r"\b(?i:liv(?:es?|ing)|stay(?:s|ing)|house|home|apartment|farm|job)"
                r" (?i:with|near|alone|by|next to|outside)\b"
                rf"[^.;\n]{{0,40}}? in (?P<phi>{CITY})"
            ),
            regex.compile(
                rf"\b(?i:on|at|off|near|along|and|to|by)[ ](?P<phi>(?:{CAP}[ ]){{1,3}}"
                r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Turnpike|Pike|Highway|Hwy|Parkway|Pkwy|Crescent|Terrace|Trail|Square))\b"
            ),
            regex.compile(r"(?i:\baddress)\s*:\s*(?P<phi>\d[^\n;]{5,80})"),
            regex.compile(rf"(?i:\baddress)\s+(?P<phi>\d[\d/ ]{{0,8}}[ ]{CITY})"),
        ),
    }
    score = 0.75

    def spans(self, category: Category, pattern: regex.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
        group = "phi" if "phi" in pattern.groupindex else 0
        for match in pattern.finditer(text, timeout=TIMEOUT):
            start, end = match.start(group) + plain_words(match[group]), match.end(group)
            if named(text[start:end]):
                yield from finer_than_a_state(text, start, end)


def plain_words(text: str) -> int:
    """How many characters at the start of ``text`` are words that name nothing ("The Emergency ")."""
    at = 0
    for word in regex.finditer(r"[\w'\u2019.-]+[ ]+", text):
        if word.start() != at or word[0].strip().casefold() not in listed("not_names"):
            break
        at = word.end()
    return at


def named(text: str) -> bool:
    """Whether anything in ``text`` is more than a plain word: "Pain Clinic" and "Nursing Home" name no place."""
    plain = (listed("not_names") - listed("towns")) | _KINDS
    words = [w.casefold() for w in regex.findall(r"[\p{L}\d'\u2019-]+", text)]
    return any(w not in plain and len(w) > 1 for w in words[:-1]) or (len(words) == 1 and words[0] not in plain)
