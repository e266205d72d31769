"""Notes written from the banks, the carriers and made-up identities, with gold spans.

Everything that is done to a written note (capitals, small letters, line breaks within a name, slips of the pen)
keeps its length, so the spans hold.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.known import KnownIdentifiers
from training.deid.carriers import peopled
from training.deid.identities import Identities, Part, eponyms, from_ehr, holidays, tells, words
from training.deid.lists import Split

BANKS = Path(__file__).parent / "banks"
Span = tuple[int, int, Category]

_CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")
_SLOT = re.compile(r"\{([\w.]+)\}")
_FORMS = {"full", "first", "last", "rev", "short", "initials", "any", "hl7", "initials2"}
_SMALL_FORMS = ["full", "full", "last", "first", "any", "any", "short", "rev"]


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    spans: tuple[Span, ...]


Change = Callable[[Note, random.Random], Note]
"""Done to a note as it stands; its length stays."""


class Writer:
    """Notes of one split; ``carriers`` are paragraphs of real sentences (:mod:`training.deid.carriers`).

    ``templates`` names the file of templates where it is not the split's own.
    """

    def __init__(self, split: Split, carriers: Sequence[Sequence[str]], *, seed: int, templates: str = "") -> None:
        self._split: Split = split
        self._bank = bank(templates or split)
        self._carriers = carriers
        self._rng = random.Random(f"{split}-{seed}")
        self._terms = terms(split)

    def note(self, *, words: int) -> Note:
        """About so many words."""
        return changed(self._clean(Identities(self._split, self._rng), words), self._rng)

    def known(self, *, words: int) -> tuple[Note, KnownIdentifiers]:
        """A note with the spans of those identifiers alone that its patient's FHIR resources tell."""
        who = Identities(self._split, self._rng)
        clean = self._clean(who, words)
        told = [s for s in clean.spans if tells(who, clean.text[s[0] : s[1]], s[2])]
        return changed(Note(clean.text, tuple(told)), self._rng), from_ehr(who)

    def _clean(self, who: Identities, words: int) -> Note:
        return _assembled(list(self._blocks(_Filler(who, self._terms, self._rng), words)), self._rng)

    def snippet(self) -> Note:
        """One template alone, as training needs them most."""
        filler = _Filler(Identities(self._split, self._rng), self._terms, self._rng)
        kind = self._rng.choices(list(_SHARES), list(_SHARES.values()))[0]
        return _befallen(_assembled([filler(self._rng.choice(self._bank[kind]))], self._rng), _OFTEN, self._rng)

    def _blocks(self, filler: _Filler, words: int) -> Sequence[Sequence[Part]]:
        rng, bank_ = self._rng, self._bank
        blocks = [filler(rng.choice(bank_["header"]))] if rng.random() < 0.75 else []
        written = 0
        style, dense = rng.random(), rng.choice(((0, 0, 0, 1), (0, 1, 1, 2), (0, 0, 1, 1, 2, 3)))
        while written < words:
            if rng.random() < 0.3:
                blocks.append(filler(rng.choice(bank_["heads"])))
            sentences = self._paragraph()
            for _ in range(rng.choice(dense)):
                kind = "abbreviated" if style < 0.2 and rng.random() < 0.5 else "inline"
                sentences.insert(rng.randint(0, len(sentences)), rng.choice(bank_[kind]))
            if rng.random() < 0.35:
                sentences.append(rng.choice(bank_["negative"]))
            parts = [part for s in sentences for part in (*filler(s), (" ", None))]
            written += sum(len(text.split()) for text, _ in parts)
            blocks.append(parts)
        if rng.random() < 0.85:
            blocks.append(filler(rng.choice(bank_["footer"])))
        return blocks

    def _paragraph(self) -> list[str]:
        if not self._carriers:
            return [self._rng.choice(self._bank["negative"])]
        sentences = list(self._rng.choice(self._carriers))
        start = self._rng.randrange(len(sentences))
        taken = sentences[start : start + self._rng.randint(2, 10)]
        return [peopled(s, self._rng) for s in taken] if self._split == "train" else taken


_SHARES = {"header": 0.18, "inline": 0.36, "footer": 0.12, "abbreviated": 0.08, "negative": 0.16, "general": 0.1}
_WITH_CAPITALS = (Category.NAME, Category.ADDRESS, Category.FACILITY)


@cache
def bank(name: str) -> Mapping[str, Sequence[str]]:
    """Templates by section."""
    sections: dict[str, list[str]] = {}
    for line in (BANKS / f"{name}.txt").read_text().splitlines():
        if re.fullmatch(r"\[\w+\]", line):
            section = sections.setdefault(line[1:-1], [])
        elif line and not line.startswith("# "):
            section.append(line.replace("\\n", "\n").replace("\\t", "\t"))
    return sections


@cache
def known_eponyms() -> Sequence[str]:
    """All that the lexicon has, less those that testing asks for."""
    tested = {word for words_ in terms("heldout").values() for term in words_ for word in term.split()}
    return [term for term in eponyms() if not tested & set(term.split())]


@cache
def terms(split: Split) -> Mapping[str, Sequence[str]]:
    raw = tomllib.loads((BANKS / "terms.toml").read_text())
    return {k: _listed(v[split], "|" if k in ("bug", "opening") else None) for k, v in raw.items()}


def _listed(text: str, separator: str | None) -> list[str]:
    return [w.strip() for w in text.replace("\n", " ").split(separator) if w.strip()]


def changed(note: Note, rng: random.Random) -> Note:
    """As hurried hands and narrow pages leave it, now and then."""
    return _befallen(note, _SOMETIMES, rng)


def _befallen(note: Note, changes: Sequence[tuple[Change, float]], rng: random.Random) -> Note:
    for change, share in changes:
        if rng.random() < share:
            note = change(note, rng)
    return note


MILITARY = ("PSC ####, Box ####\nAPO AE #####", "Unit #### Box ####\nDPO AP #####")


class _Filler:
    """Fills the slots of templates for one note."""

    def __init__(self, who: Identities, terms_: Mapping[str, Sequence[str]], rng: random.Random) -> None:
        self._who, self._rng = who, rng
        plain: dict[str, Callable[[], str]] = {
            "comma": lambda: rng.choice((",", "")),
            "state": lambda: who.city()[1],
            "country": lambda: rng.choice(words("countries")),
            "age": lambda: str(rng.randint(1, 89)),
            "small": lambda: str(rng.randint(0, 15)),
            "temp": lambda: f"{rng.uniform(96, 103):.1f}",
            "hr": lambda: str(rng.randint(48, 140)),
            "bp": lambda: f"{rng.randint(85, 190)}/{rng.randint(45, 110)}",
            "rr": lambda: str(rng.randint(10, 32)),
            "sat": lambda: str(rng.randint(84, 100)),
            "wt": lambda: f"{rng.uniform(40, 130):.1f}",
            "dec": lambda: f"{rng.uniform(4, 45):.1f}",
            "digit": lambda: str(rng.randrange(10)),
            "year": lambda: str(rng.randint(1985, 2025)),
            "EPONYM": lambda: rng.choice(terms_["eponym"]),
            "KNOWN": lambda: rng.choice(known_eponyms()),
            "DEVICE": lambda: rng.choice(terms_["device"]),
            "SCORE": lambda: rng.choice(terms_["score"]),
            "ABBR": lambda: rng.choice(terms_["abbreviation"]),
            "Open": lambda: rng.choice(terms_["opening"]),
            "BUG": lambda: rng.choice(terms_["bug"]),
            "drug": lambda: rng.choice(who.lists.drugs),
            "Drug": lambda: rng.choice(who.lists.drugs).capitalize(),
            "diagnosis": lambda: rng.choice(who.lists.diagnoses),
            "diagnosis_lower": lambda: rng.choice(who.lists.diagnoses).lower(),
        }
        number = who.number
        marked: dict[str, tuple[Category, Callable[[], str]]] = {
            "date": (Category.DATE, who.date),
            "birth": (Category.BIRTH_DATE, who.birth),
            "month": (Category.DATE, who.month),
            "holiday": (Category.DATE, lambda: rng.choice(holidays(who.split))),
            "age90": (Category.AGE, lambda: str(rng.randint(90, 104))),
            "street": (Category.ADDRESS, who.street),
            "city": (Category.ADDRESS, who.town),
            "zip": (Category.ADDRESS, who.zip),
            "county": (Category.ADDRESS, lambda: rng.choice(who.lists.counties)),
            "facility": (Category.FACILITY, who.facility),
            "employer": (Category.FACILITY, who.employer),
            "phone": (Category.PHONE, who.phone),
            "fax": (Category.FAX, who.phone),
            "pager": (Category.PHONE, lambda: who.one("#####", "####")),
            "email": (Category.EMAIL, who.email),
            "brand": (Category.FACILITY, who.brand),
            "company": (Category.FACILITY, who.company),
            "fstreet": (Category.ADDRESS, who.street_abroad),
            "town": (Category.ADDRESS, who.town_anywhere),
            "military": (
                Category.ADDRESS,
                lambda: who.one("PSC ####, Box ####\nAPO AE #####", "Unit #### Box ####\nDPO AP #####"),
            ),
            "road": (Category.ADDRESS, who.road),
            "handle": (Category.RECORD, who.handle),
            "letter": (Category.NAME, lambda: who.pattern("@")),
            "odd": (Category.RECORD, who.odd),
            "spoken": (Category.DATE, who.spoken),
            "initials3": (Category.NAME, lambda: who.one("@@@", "@@")),
        }
        for slot, category in _NUMBERED.items():
            marked[slot] = (category, lambda slot=slot: number(slot))  # type: ignore[misc]
        self._plain, self._marked = plain, marked

    def __call__(self, template: str) -> list[Part]:
        while choice := _CHOICE.search(template):
            one = self._rng.choice(choice[1].split("|"))
            template = template[: choice.start()] + one + template[choice.end() :]
        parts: list[Part] = []
        at = 0
        for slot in _SLOT.finditer(template):
            parts += [(template[at : slot.start()], None), self._filled(slot[1])]
            at = slot.end()
        return [*parts, (template[at:], None)]

    def _filled(self, slot: str) -> Part:
        if slot in self._plain:
            return self._plain[slot](), None
        if slot in self._marked:
            category, make = self._marked[slot]
            return make(), category
        role, form = slot.split(".")
        if form == "caps":
            return self._who.name(role, "full").upper(), Category.NAME
        name = self._who.name(role, form if form in _FORMS else "full")
        return name, Category.NAME


_NUMBERED = {
    "mrn": Category.RECORD,
    "acct": Category.RECORD,
    "acc": Category.RECORD,
    "job": Category.RECORD,
    "uuid": Category.RECORD,
    "photo": Category.RECORD,
    "bio": Category.RECORD,
    "ssn": Category.SSN,
    "plan": Category.HEALTH_PLAN,
    "device": Category.DEVICE,
    "dea": Category.LICENCE,
    "npi": Category.LICENCE,
    "licence": Category.LICENCE,
    "plate": Category.VEHICLE,
    "vin": Category.VEHICLE,
    "url": Category.URL,
    "ip": Category.IP,
}


def _assembled(blocks: Sequence[Sequence[Part]], rng: random.Random) -> Note:
    text, spans = "", []
    for block in blocks:
        for piece, category in block:
            if category:
                spans.append((len(text), len(text) + len(piece), category))
            text += piece
        text += rng.choice(("\n\n", "\n\n", "\n"))
    return Note(text, tuple(spans))


def _capitals(note: Note, rng: random.Random) -> Note:
    upper = note.text.upper()
    return Note(upper, note.spans) if len(upper) == len(note.text) else note


def _small(note: Note, rng: random.Random) -> Note:
    """All in small letters but for numbers' letters, as hasty notes are."""
    lower = list(note.text.lower())
    if len(lower) != len(note.text):
        return note
    for start, end, category in note.spans:
        if category not in _WITH_CAPITALS:
            lower[start:end] = note.text[start:end]
    return Note("".join(lower), note.spans)


def _wrapped(note: Note, rng: random.Random) -> Note:
    """Hard line breaks, wherever they fall."""
    width, out, column = rng.choice((60, 72, 80)), [], 0
    for word in re.split(r"(\s)", note.text):
        if word == " " and column > width:
            out.append("\n")
            column = 0
        else:
            out.append(word)
            column = 0 if word == "\n" else column + len(word)
    return Note("".join(out), note.spans)


def _slips(note: Note, rng: random.Random) -> Note:
    """Neighbouring letters swapped, in one word of thirty."""
    letters = list(note.text)
    for word in re.finditer(r"[A-Za-z]{5,}", note.text):
        if rng.random() < 0.03:
            at = rng.randrange(word.start() + 1, word.end() - 1)
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return Note("".join(letters), note.spans)


def _dictated(note: Note, rng: random.Random) -> Note:
    """As a voice was taken down: small letters, and no points or commas."""
    small = _small(note, rng)
    plain = list(re.sub(r"[.,;:](?=\s)", " ", small.text))
    for start, end, category in note.spans:
        if category not in _WITH_CAPITALS:
            plain[start:end] = note.text[start:end]
    return Note("".join(plain), note.spans)


def _scanned(note: Note, rng: random.Random) -> Note:
    """With letters and digits that a scanner took for others, points for commas, lines broken anywhere."""
    letters = list(note.text)
    share = rng.choice((0.01, 0.03, 0.06))
    for at, letter in enumerate(letters):
        if letter in _LOOK_ALIKES and rng.random() < share:
            letters[at] = rng.choice(_LOOK_ALIKES[letter])
    return Note("".join(letters), note.spans)


_LOOK_ALIKES: Mapping[str, str] = {
    "o": "0",
    "O": "0Q",
    "0": "OoD",
    "l": "1I",
    "1": "lI",
    "I": "l1",
    "i": "l1",
    "e": "c",
    "c": "e",
    "S": "5",
    "5": "S",
    "B": "8",
    "8": "B",
    "Z": "2",
    "2": "Z",
    "G": "6",
    "h": "b",
    "n": "r",
    "a": "o",
    ",": ".",
    ".": ",",
    ":": ";.",
    "/": "l1",
    " ": "\n",
}


_SOMETIMES: Sequence[tuple[Change, float]] = ((_capitals, 0.1), (_small, 0.12), (_wrapped, 0.25), (_slips, 0.15))
_OFTEN: Sequence[tuple[Change, float]] = (
    (_capitals, 0.2),
    (_small, 0.2),
    (_dictated, 0.07),
    (_scanned, 0.06),
    (_wrapped, 0.1),
    (_slips, 0.1),
)
"""What befalls one template alone, where training is to see it often."""
