"""Made-up identifiers of every Safe Harbor category, in the many forms in which notes have them."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.known import KnownIdentifiers
from training.deid.english import common_words, small_words
from training.deid.lists import Lists, Split, lists, split_of

Part = tuple[str, Category | None]
"""A piece of text, and what it identifies."""

_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_STREETS = {
    "train": "Street St St. Avenue Ave Ave. Road Rd Rd. Lane Ln Drive Dr Dr. Court Ct Boulevard Blvd Way Place Pl "
    "Terrace Circle Cir Highway Hwy Parkway Pkwy Trail Square",
    "heldout": "Street St. Avenue Ave Road Rd Lane Drive Court Blvd. Way Pike Row Crescent Turnpike Terr Loop Path",  # noqa: E501
}
_TREES = {
    "train": "Oak Maple Elm Pine Cedar Washington Main Park Lake Hill Church Walnut Spring North Ridge Sunset",
    "heldout": "Birch Willow Chestnut Highland River Mill Center College Franklin Meadow Orchard",
}
_FACILITIES: Mapping[Split, Sequence[str]] = {
    "train": (
        "{city} General Hospital",
        "{city} Medical Center",
        "St. {saint}'s Hospital",
        "Saint {saint} Medical Center",
        "{family} Memorial Hospital",
        "University of {city} Hospital",
        "{city} Regional Medical Center",
        "{family} Clinic",
        "Mercy Hospital of {city}",
        "{city} VA Medical Center",
        "{family} Family Medicine",
        "{tree} {water} Nursing Home",
        "{tree} Manor",
        "{family} Rehab Center",
        "{city} Community Health Center",
        "{city} Urgent Care",
        "{family} & {family} Cardiology Associates",
        "{city} Radiology Group",
        "{family} Hall",
        "{city} Children's Hospital",
        "{city} Heart Institute",
        "{tree} Street Pharmacy",
        "{family}'s Pharmacy",
        "{city} County Jail",
        "{city} Hospice",
        "{city} Imaging",
        "Our Lady of {city}",
        "{tree}{lower} Village",
        "{city} Gen",
        "{family}-{family} Hospital",
        "St. {saint}'s",
        "{city} Health",
        "{city} Eye Associates",
        "{family} Dermatology",
        "{city} Surgery Center",
        "{city} Women's Health",
        "{city} Behavioral Health",
        "{city} Cancer Center",
        "Sisters of {saint} Medical Center",
        "Holy Family of {city}",
        "Good Shepherd {city}",
        "Sacred Heart {city}",
        "{tree} {water} Memory Care",
        "{family} Sports Medicine",
        "{city} Academic Hospital",
        "{city} Kidney Care",
        "The {family} Foundation",
        "{acronym}",
        "{acronym}",
        "{acronym}",
        "{city} Memorial",
        "{city} Health System",
        "{city} Family Health",
        "{city} Orthopaedics",
        "{family} Dental Arts",
        "{city} Pain & Spine",
        "{tree} {water} Home Care",
        "{city} Gastroenterology",
        "{city} Methodist",
        "{city} Baptist East",
        "Royal Infirmary of {city}",
        "{city} Visiting Nurses",
        "Queen {saint} Hospital",
        "{family} Dialysis of {city}",
        "{city} Infirmary",
        "{city} Oncology & Hematology",
        "Good Hope {city}",
        "Blessed {saint} of {city}",
        "House of {saint}",
        "U{acronym}",
        "{city} Center for Rehabilitation",
        "{tree}{lower} at {city}",
        "{tree} {water} Nursing & Rehab",
        "{family} Home",
        "{city} Physical Therapy",
        "{city} Hearing & Balance",
        "{city} Podiatry Group",
        "{city} Birth Center",
        "{tree} {water} Drug",
        "{family} Apothecary",
        "{city} Ambulance",
        "{city} County Health Department",
        "{city} Free Clinic",
        "{family} Institute for Rehabilitation",
        "{city} Sleep Center",
        "{city} Endoscopy",
        "{city} Hand & Shoulder",
        "{family} Vision",
        "{family} Hospice House",
        "{city} Care & Rehab",
        "{city} Indian Hospital",
        "{city} Naval Hospital",
        "{city} Recovery",
        "{tree} Street Shelter",
        "St. {saint}-{city}",
        "{city} {tree} Medical",
        "{family} Chiropractic",
        "{city} Wound Center",
        "{city} Practice",
        "{family} Surgery",
        "Ronald {family} House",
        "{tree} {tree} Home Health",
        "{city} Mercy",
        "{city} Presbyterian",
        "The {city} Clinic",
        "{city} Allergy",
    ),
    "heldout": (
        "{city} District Hospital",
        "Holy Cross {city}",
        "{family} Institute",
        "St {saint} Infirmary",
        "{city} Surgical Center",
        "{city} Orthopedics",
        "{family} University Hospital",
        "Good Samaritan of {city}",
        "{tree} Grove Assisted Living",
        "{city} Health System",
        "Mount {saint} Hospital",
        "{family} Eye Center",
        "{city} Dialysis",
        "Sisters of {saint} Hospital",
        "{city} Methodist Hospital",
        "{acronym}",
    ),
}
_EMPLOYERS: Mapping[Split, Sequence[str]] = {
    "train": (
        "{family} Industries",
        "{family} & Sons",
        "{city} High School",
        "{city} Elementary",
        "{family} Construction",
        "{city} Fire Department",
        "{city} Police Department",
        "{family} Logistics",
        "University of {city}",
        "{family}, {family} and {family}",
        "{city} Public Library",
        "{family} Foods",
        "St. {saint} Church",
        "{city} School District",
        "{family} Trucking",
        "{tree}{lower} Technologies",
        "{city} Water Department",
        "{city} Post Office",
        "{city} Community College",
        "Second Methodist Church of {city}",
        "{city} Herald",
        "{family} Dairy",
        "{family} Middle School",
        "{family} Group",
        "{family} Inc",
        "{city} Timber",
        "{family} Freight Lines",
        "{city} Northern",
        "Camp {family}",
        "{city} Tribune",
        "{family} Plumbing & Heating",
        "{city} Head Start",
        "{city} Regional Transit",
        "{family} Bros",
        "{family} Creamery",
        "{city} State",
        "{acronym}",
        "Local ### of the {city} Carpenters",
        "{family} Elevator",
        "{city} Marching Band",
        "{city} Christian Academy",
        "{city} High",
        "{city} Central",
        "{family} Mills",
        "{city} Diner",
        "{city} Bus Company",
        "{family} Roofing",
        "{family} Ranch",
        "{city} Zoo",
        "{city} Parks and Recreation",
        "{tree} {water} Golf Club",
        "{family} Steel",
        "Temple {saint}",
        "{city} Mosque",
        "Church of {saint} in {city}",
        "{family} Insurance",
        "{city} Credit Union",
        "{family} Law",
        "{family}, {family} & Co.",
        "{city} Correctional Center",
        "{city} Sheriff",
        "{city} Raceway",
        "{city} Daily News",
        "{family} Elementary",
        "{city} Tech",
        "Port of {city}",
        "{family} Auto Body",
        "{city} Cannery",
    ),
    "heldout": (
        "{family} Bakery",
        "{city} Transit Authority",
        "{family} Brothers",
        "{city} College",
        "{family} Motors",
        "First Baptist Church of {city}",
        "{family} LLC",
        "{city} Gazette",
        "{family} Farms",
        "{family} Academy",
    ),
}
_SAINTS = {
    "train": "Mary Luke Joseph John Vincent Francis Agnes Anthony Elizabeth Michael Jude Peter",
    "heldout": "Brigid Barnabas Catherine Raphael Clare Alban Thomas Anne Sinai Zion",
}
_HOLIDAYS = {
    "train": ("Christmas", "Thanksgiving", "Labor Day", "New Year's Eve", "Halloween", "Easter", "July 4th"),
    "heldout": ("Memorial Day", "Christmas Eve", "New Year's Day", "Veterans Day", "the Fourth of July"),
}
_DATES = {
    "train": (
        "%m/%d/%Y",
        "%m/%d/%y",
        "{m}/{d}/%Y",
        "{m}/{d}/%y",
        "{m}/{d}",
        "%Y-%m-%d",
        "%m-%d-%Y",
        "%B {d}, %Y",
        "%b {d}, %Y",
        "%b {d} %Y",
        "{d} %B %Y",
        "%d-%b-%Y",
        "%d%b%Y",
        "%B {d}",
        "%B {d}{th}",
        "%B %Y",
        "%b %d",
        "%d.%m.%Y",
        "%Y%m%d",
        "{m}-{d}-%y",
        "%b. {d}, %Y",
        "%m/%d",
        "{d}-%b-%y",
        "%m/%Y",
        "{d}.{m}.%y",
        "{d}/{m}/%y",
        "{d}/{m}",
        "%d %m %y",
        "%m %d %Y",
        "%Y.%m.%d",
        "{d} %b",
        "%d%b",
        "{d}{th} %B",
        "{d}{th} %b %Y",
        "%b{d}",
        "%a {m}/{d}",
        "%A, %B {d}",
        "%a %d %b %y",
        "%B of %Y",
        "%b %Y",
        "%b-%Y",
        "%Y-%m",
        "%d%b%y",
        "%Y %b %d",
        "mid-%B",
        "early %B",
        "late %b",
        "the {d}{th}",
        "{m}/{d}/%y 14:05",
        "%Y-%m-%dT09:41:00",
    ),
    "heldout": (
        "%m/%d/%Y",
        "{m}/{d}/%y",
        "%d %b %Y",
        "%B {d}{th}, %Y",
        "{d}{th} of %B %Y",
        "%Y/%m/%d",
        "%m-%d-%y",
        "%B {d}",
        "%b {d}{th}",
        "{m}/{d}",
        "%m.%d.%Y",
        "%d/%m/%Y",
        "%d-%b-%y",
        "the {d}{th} of %B",
        "%b '%y",
        "%B, %Y",
    ),
}


@cache
def words(name: str) -> Sequence[str]:
    """A list of ``banks/words.toml``."""
    text = tomllib.loads((Path(__file__).parent / "banks" / "words.toml").read_text(encoding="utf-8"))[name]
    return [word.strip() for word in text.split("|" if "|" in text else None)]


@cache
def eponyms() -> Sequence[str]:
    """Eponyms, brands, devices and scores, of a word or several: what looks like a name and is none."""
    text = (Path(__file__).parent / "banks" / "eponyms.txt").read_text(encoding="utf-8")
    return list(dict.fromkeys((*words("eponyms"), *filter(None, text.split("\n")))))


@cache
def plain(split: Split) -> Lists:
    """Of what the split draws from, the names that are words too: Parks, Joy, Bend."""
    every = lists(split)
    given = _words_among(every.given, every.given_weights)
    family = _words_among(every.family, every.family_weights)
    return replace(
        every,
        given=list(given),
        given_weights=list(given.values()),
        family=list(family),
        family_weights=list(family.values()),
        cities=[c for c in every.cities if all(word in small_words() for word in c[0].casefold().split())],
    )


def _words_among(names: Sequence[str], weights: Sequence[float]) -> Mapping[str, float]:
    return {n: w for n, w in zip(names, weights, strict=True) if n.casefold() in small_words()}


@cache
def romanised(part: str) -> Sequence[str]:
    """Given or family names of languages that no list has, less those that testing draws."""
    tested = lists("heldout")
    kept = {*tested.foreign_given, *tested.foreign_family}
    return [n for n in words(f"romanised_{part}") if n not in kept and split_of(n) == "train"]


@dataclass(frozen=True, slots=True)
class Person:
    given: str
    middle: str
    family: str


class Identities:
    """Draws for one note; the people of a note stay the same."""

    def __init__(self, split: Split, rng: random.Random) -> None:
        self.split: Split = split
        self.rng = rng
        self.lists = lists(split)
        self.people: dict[str, Person] = {}
        self.today = date(rng.randint(1990, 2026), 1, 1) + timedelta(days=rng.randrange(365))
        family = self.family()
        self.people["pt"] = Person(self.given(), self.given(), family)
        self.people["rel"] = Person(self.given(), self.given(), family if rng.random() < 0.7 else self.family())
        self.kept: dict[str, str] = {}

    def given(self) -> str:
        draw = self.rng.random()
        if draw < 0.1 and self.split == "train":
            return self.rng.choice(romanised("given"))
        if draw > 0.92 and self.split == "train":
            return self.rng.choices(plain("train").given, plain("train").given_weights)[0]
        if draw < 0.08:
            return f"{self.given()}{self.rng.choice('- ')}{self.given()}"
        if draw < 0.3:
            return self.rng.choice(self.lists.foreign_given)
        return self.rng.choices(self.lists.given, self.lists.given_weights)[0]

    def family(self) -> str:
        draw = self.rng.random()
        if draw < 0.1 and self.split == "train":
            return self.rng.choice(romanised("family"))
        if draw > 0.85 and self.split == "train":
            return self.rng.choices(plain("train").family, plain("train").family_weights)[0]
        if draw < 0.3:
            return self.rng.choice(self.lists.foreign_family)
        if draw < 0.36:
            return f"{self.family()}-{self.family()}"
        if draw < 0.40:
            return self.rng.choice(("O'", "Mc", "de la ", "van ", "Van der ", "Al-", "D'", "Mac")) + self.family()
        return self.rng.choices(self.lists.family, self.lists.family_weights)[0]

    def person(self, role: str) -> Person:
        if role not in self.people or role == "new":
            self.people[role] = Person(self.given(), self.given(), self.family())
        return self.people[role]

    def name(self, role: str, form: str) -> str:
        """``form``: full, first, last, rev, short, initials, any."""
        p, rng = self.person(role), self.rng
        full = [f"{p.given} {p.family}"] * 5 + [f"{p.given} {p.middle[0]}. {p.family}"] * 2
        full += [f"{p.given} {p.middle[0]} {p.family}", f"{p.given} {p.middle} {p.family}"]
        full += [f"{p.given} {p.family}{rng.choice((' Jr.', ', Jr.', ' III', ' Sr.'))}"] if role == "pt" else []
        reverse = [f"{p.family}, {p.given}"] * 3 + [
            f"{p.family}, {p.given} {p.middle[0]}",
            f"{p.family},{p.given}",
        ]
        reverse += [f"{p.family}, {p.given} {p.middle[0]}.", f"{p.family}, {p.given} {p.middle}"]
        if self.split == "train":
            full += [f"{p.given} {p.family} {p.middle}", f"{p.given[0]}. {p.middle} {p.family}"]
            full += [
                f"{p.family} {p.given}",
                f"{p.given} {p.middle[0]}.{p.family}",
                f"{p.given} {p.family.upper()}",
            ]
            reverse += [
                f"{p.family.upper()}, {p.given}",
                f"{p.family.upper()} {p.given}",
                f"{p.family} , {p.given}",
            ]
            reverse += [f"{p.family}, {p.given[0]}.", f"{p.family},{p.given[0]}"]
        short = [
            f"{p.given[0]}. {p.family}",
            f"{p.given[0]}. {p.middle[0]}. {p.family}",
            f"{p.given[0]} {p.family}",
        ]
        if self.split == "train":
            short += [
                f"{p.family} {p.given[0]}",
                f"{p.family} {p.given[0]}{p.middle[0]}",
                f"{p.given[0]}.{p.family}",
            ]
            short += [f"{p.given[0]}{p.middle[0]} {p.family}", f"{p.family}, {p.given[0]}.{p.middle[0]}."]
        initials = [f"{p.given[0]}.{p.family[0]}.", f"{p.given[0]}. {p.family[0]}.", f"{p.given[0]}{p.family[0]}"]
        forms = {"full": full, "first": [p.given], "last": [p.family], "rev": reverse, "short": short}
        forms["initials"] = initials
        forms["hl7"] = [f"{p.family}^{p.given}".upper(), f"{p.family}^{p.given}^{p.middle[0]}".upper()]
        forms["initials2"] = [f"{p.given[0]}{p.family[0]}", f"{p.given[0]}{p.middle[0]}{p.family[0]}".lower()]
        forms["any"] = [*full, p.family, p.family, *short[:2], *reverse[:2]]
        return rng.choice(forms[form])

    def pattern(self, text: str) -> str:
        """Digits for ``#``, capitals for ``@``."""
        letters = {"#": lambda: str(self.rng.randrange(10)), "@": lambda: self.rng.choice(_LETTERS)}
        return "".join(letters[c]() if c in letters else c for c in text)

    def one(self, *patterns: str) -> str:
        return self.pattern(self.rng.choice(patterns))

    def same(self, what: str, make: Callable[[], str]) -> str:
        """Drawn once in a note."""
        return self.kept.setdefault(what, make())

    def date(self) -> str:
        return self.written(self.today - timedelta(days=int(self.rng.expovariate(1 / 200)) % 6000))

    def birth(self) -> str:
        born = self.today - timedelta(days=self.rng.randrange(700, 33_000))
        forms = (
            "%m/%d/%Y",
            "{m}/{d}/%Y",
            "{m}/{d}/%y",
            "%m-%d-%Y",
            "%B {d}, %Y",
            "%Y-%m-%d",
            "%d-%b-%Y",
            "%d %b %Y",
        )
        return self.same("birth", lambda: _strftime(born, self.rng.choice(forms)))

    def written(self, day: date) -> str:
        return _strftime(day, self.rng.choice(_DATES[self.split]))

    def month(self) -> str:
        return (self.today - timedelta(days=self.rng.randrange(365))).strftime("%B")

    def street(self) -> str:
        rng = self.rng
        name = rng.choice((self.family(), self.given(), rng.choice(_TREES[self.split].split()), self.city()[0]))
        name = rng.choice((name, name, name, f"{rng.randint(1, 120)}th", f"N. {name}", f"West {name}"))
        end = rng.choice(_STREETS[self.split].split())
        unit = rng.choice(("", "", "", f" Apt {rng.randint(1, 90)}", f", Apt. #{rng.randint(1, 30)}B", " Unit 4"))
        if self.split == "train" and rng.random() < 0.15:
            return self.pattern(rng.choice(words("streets_at_home")).format(name=name, small=name.lower()))
        return rng.choice(
            (f"{rng.randint(1, 9999)} {name} {end}{unit}",) * 6 + (self.one("PO Box ####", "P.O. Box ###"),)
        )

    def city(self) -> tuple[str, str]:
        towns = plain("train") if self.split == "train" and self.rng.random() < 0.08 else self.lists
        return self.rng.choice(towns.cities)

    def town(self) -> str:
        return self.rng.choice((self.city()[0],) * 4 + (self.rng.choice(self.lists.towns_abroad),))

    def zip(self) -> str:
        return self.one("#####", "#####", "#####", "#####-####")

    def facility(self) -> str:
        return self._organisation(_FACILITIES)

    def employer(self) -> str:
        return self._organisation(_EMPLOYERS)

    def _organisation(self, forms: Mapping[Split, Sequence[str]]) -> str:
        rng = self.rng
        text = rng.choice(forms[self.split])
        acronym = "".join(rng.choice(_LETTERS) for _ in range(rng.choice((3, 3, 4)))) if "{acr" in text else ""
        while "{" in text:
            at = text.index("{")
            slot = text[at + 1 : text.index("}")]
            fill = {
                "city": self.town,
                "family": self.family,
                "lower": lambda: rng.choice(("wood", "view", "side", "dale")),
                "tree": lambda: rng.choice(_TREES[self.split].split()),
                "water": lambda: rng.choice(("Creek", "Lake")),
                "saint": lambda: rng.choice(_SAINTS[self.split].split()),
                "acronym": lambda: acronym,
            }[slot]()
            text = text[:at] + fill + text[text.index("}") + 1 :]
        return self.pattern(text) if "#" in text else text

    def brand(self) -> str:
        """A facility or employer whose name says nothing of its kind."""
        rng = self.rng
        if self.split == "train" and rng.random() < 0.2:
            return rng.choice((self.company(), self.one("@@@", "@@@@", "@@@", "@@")))
        family, city = self.family(), self.town()
        names = (
            f"{family}",
            f"{family}'s",
            f"{city} {rng.choice(('Deaconess', 'Mercy', 'Baptist', 'General', 'Gen', 'Med'))}",
            f"St. {self.given()}",
            f"St {self.given()}'s",
            f"{family} {rng.choice(('House', 'Point', 'Pines', 'Tools'))}",
            f"{city}",
            f"{rng.choice(_TREES[self.split].split())}{rng.choice(('wood', 'brook', 'crest', 'mont'))}",
            self.facility(),
            self.employer(),
            f"{family} and {self.family()}",
            f"{city} Pediatrics",
        )
        return rng.choice(names)

    def company(self) -> str:
        """A business or home of any name: made up, of plain words, or of its owners."""
        rng = self.rng
        made = "".join(rng.choice(words("syllables")) for _ in range(rng.choice((2, 2, 3)))).capitalize()
        ordinary = self.split == "train" and rng.random() < 0.5
        bank = common_words() if ordinary else words("plain_names")
        plain = " ".join(word.capitalize() for word in rng.sample(bank, rng.choice((1, 2, 2, 3))))
        owners = f"{self.family()}, {self.family()} and {self.family()}"
        name = rng.choice((made, made, plain, plain, owners, f"{self.family()}-{self.family()}", self.family()))
        if self.split == "train" and rng.random() < 0.5:
            return f"{name} {rng.choice(words('kinds_in_training'))}"
        return f"{name} {rng.choice((*words('kinds'), '', '', ''))}".strip()

    def street_abroad(self) -> str:
        """A house and street as elsewhere in the world."""
        rng = self.rng
        name = rng.choice((self.family, self.given, self.town))()
        return rng.choice(words("streets_abroad")).format(name=name, small=name.lower(), n=rng.randint(1, 9999))

    def town_anywhere(self) -> str:
        """In capitals, as many countries have it in addresses, now and then."""
        town = self.rng.choice((self.city()[0], self.rng.choice(self.lists.towns_abroad)))
        return town.upper() if self.rng.random() < 0.2 else town

    def road(self) -> str:
        """A street without a number."""
        name = self.rng.choice((self.family(), self.given(), self.rng.choice(_TREES[self.split].split())))
        return f"{name} {self.rng.choice(_STREETS[self.split].split())}"

    def handle(self) -> str:
        person = self.person(self.rng.choice(("pt", "rel")))
        return f"{person.given[0]}{person.family}".lower().replace(" ", "") + self.one("##", "####", "_#")

    def phone(self) -> str:
        number = self.one(
            "(###) ###-####",
            "###-###-####",
            "###.###.####",
            "### ### ####",
            "1-###-###-####",
            "+1 ### ### ####",
            "(###)###-####",
            "###-####",
            "##########",
            "(###) ###-####",
            "###-###-####",
            "+44 ## #### ####",
        )
        return number + (self.one(" x####", " ext. ###", " ext ####", " x##") if self.rng.random() < 0.12 else "")

    def email(self) -> str:
        p = self.person(self.rng.choice(("pt", "rel", "new")))
        user = self.rng.choice((f"{p.given}.{p.family}", f"{p.given[0]}{p.family}", f"{p.family}{self.one('##')}"))
        host = self.rng.choice(
            ("gmail.com", "yahoo.com", "mail.example.org", "hotmail.com", "partners.org", "aol.com")
        )
        return "".join(c for c in user.lower() if c.isascii() and (c.isalnum() or c == ".")) + "@" + host

    def number(self, kind: str) -> str:
        """Of a category that has a number, kept for the note where one patient has one."""
        return self.same(kind, lambda: self._numbered(kind)) if kind in _STABLE else self._numbered(kind)

    def _numbered(self, kind: str) -> str:
        if self.split == "train" and kind in _OF_ANY_FORM and self.rng.random() < 0.3:
            return self.odd()
        return self.one(*_NUMBERS[kind])

    def odd(self) -> str:
        """A number as some registry may write it: groups of digits and letters, at least four digits in all."""
        rng = self.rng
        between = rng.choice(("-", "-", "/", " ", ".", ""))
        groups = [rng.choice(("@", "@@", "@@@", "##", "###"))] if rng.random() < 0.6 else []
        groups += [rng.choice(("##", "###", "####", "#####")) for _ in range(rng.choice((1, 2, 2, 3)))]
        groups += [rng.choice(("@", "#", "@#"))] if rng.random() < 0.25 else []
        return self.pattern(between.join((*groups, "####") if "".join(groups).count("#") < 4 else groups))

    def spoken(self) -> str:
        """A date in words, as it is dictated."""
        day, rng = self.today - timedelta(days=self.rng.randrange(4000)), self.rng
        month, ordinal, year = day.strftime("%B"), words("ordinals")[day.day - 1], _spoken_year(day.year)
        forms = (
            f"{month} {ordinal}",
            f"{month} {ordinal} {year}",
            f"the {ordinal} of {month}",
            f"{month} of {year}",
        )
        return rng.choice((*forms, f"{ordinal} of {month} {year}", f"{month} the {ordinal}"))


_STABLE = {"mrn", "acct", "ssn", "plan"}
_OF_ANY_FORM = {"mrn", "acct", "acc", "job", "device", "licence", "plan"}
_NUMBERS: Mapping[str, Sequence[str]] = {
    "mrn": (
        "#######",
        "########",
        "######",
        "###-##-##",
        "@#######",
        "##-##-##",
        "MR######",
        "00######",
        "#########",
    ),
    "acct": ("#########", "##########", "@@######", "####-#####", "V#########", "########-##"),
    "acc": (
        "@@##-######",
        "########",
        "#######",
        "CXR-##-#####",
        "S##-#####",
        "E########",
        "##:@#####",
        "@##-####",
    ),
    "ssn": ("###-##-####", "### ## ####", "#########", "xxx-xx-####", "***-**-####"),
    "plan": ("@@@#########", "##########", "@########", "#@@#-@@#-@@##", "@@@-##-####-##", "W#########-##"),
    "device": ("@@@######@", "SN-########", "##########", "@#@-#####", "PJN######", "(01)##############"),
    "dea": ("A@#######", "B@#######", "M@#######"),
    "npi": ("##########",),
    "licence": ("@#######", "@@######", "@###-####-####", "@@-#####", "#########", "MD######", "@##-##-####"),
    "plate": ("###-@@@", "@@@-####", "#@@@###", "@@@ ###", "##@-###"),
    "vin": ("1HGCM#@6##A######", "2T@BR32E#7C######", "JH@DC5##@#S######", "5YJ@E1EA#KF######"),
    "ip": ("10.##.#.##", "192.168.1.##", "172.16.##.1##", "6#.1##.##.2"),
    "url": (
        "https://portal.example.org/u/######",
        "www.@####-family.com",
        "http://mychart.example.com/p?id=######",
        "facebook.com/@@.######",
        "https://www.caringbridge.example/visit/@#####",
    ),
    "photo": ("IMG_####.jpg", "PHOTO-######", "DSC####.JPG"),
    "bio": ("FP-######", "BIO#######", "RETINA-####-@"),
    "job": ("######", "#######", "@@/######", "@@#####"),
    "uuid": ("#######-@##", "@@##-####-####", "##########"),
}


_TOLD = ("mrn", "acct", "ssn", "plan")


def from_ehr(who: Identities) -> KnownIdentifiers:
    """What an EHR has of the patient, a relative and the clinician of a note."""
    patient, relative, doctor = ({"name": [_fhir_name(who.person(role))]} for role in ("pt", "rel", "dr"))
    numbers = [{"value": who.kept[kind]} for kind in _TOLD if kind in who.kept]
    return KnownIdentifiers.from_fhir(patient | {"identifier": numbers}, [doctor], [relative])


def _fhir_name(person: Person) -> dict[str, object]:
    return {"given": [person.given, person.middle], "family": person.family}


def tells(who: Identities, text: str, category: Category) -> bool:
    """Whether :func:`from_ehr` has what ``text`` says."""
    if category is Category.NAME:
        people = (who.person(role) for role in ("pt", "rel", "dr"))
        return any(name in text for p in people for name in (p.given, p.family))
    return text in {who.kept[kind] for kind in _TOLD if kind in who.kept}


def _spoken_year(year: int) -> str:
    century, rest = divmod(year, 100)
    tens = " ".join(filter(None, (words("tens")[rest // 10], words("units")[rest % 10])))
    if rest < 10:
        return f"two thousand {tens}".strip() if century == 20 else f"nineteen oh {tens}"
    return f"{'twenty' if century == 20 else 'nineteen'} {words('teens')[rest - 10] if rest < 20 else tens}"


def _strftime(day: date, form: str) -> str:
    th = "th" if 10 <= day.day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return day.strftime(form.replace("{d}", str(day.day)).replace("{m}", str(day.month)).replace("{th}", th))


def holidays(split: Split) -> Sequence[str]:
    return _HOLIDAYS[split]
