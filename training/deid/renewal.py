"""A written note with other identifiers in it: each of the same kind and shape, a person under one new name throughout."""  # noqa: E501

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cache

import regex

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.dates import MONTHS, shifted
from cds.notes.deidentification.words import listed
from training.deid.english import common_words, small_words
from training.deid.identities import Identities, plain, words
from training.deid.lists import census, lists, split_of

KEPT = 0.3
"""How often a name or place stays as its writer had it: none that testing draws."""
_WORD = regex.compile(r"\p{L}[\p{L}'\u2019]*")
_TOKEN = regex.compile(r"[^\s,]+")
_RUN = regex.compile(r"\p{L}[\p{L}'\u2019.]*(?:[ -]\p{L}[\p{L}'\u2019.]*)*")
_MONTH = regex.compile(r"(?i)\b(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*\b")
_ORDINAL = regex.compile(r"\b\d\d?(?=st\b|nd\b|rd\b|th\b)")
_GENERIC = frozenset(words("generic"))
"""Parts of names and streets that name nobody: "van", "Jr", "Lane"."""
_KINDS = frozenset(words("kinds_of_organisation"))


class Renewal:
    """Of one note: what was renewed once stays so."""

    def __init__(self, who: Identities) -> None:
        self._who, self._rng = who, who.rng
        self._kept: dict[str, str] = {}
        self._days = self._rng.randint(40, 4_000) * self._rng.choice((-1, 1))
        self._of: Mapping[Category, Callable[[str], str]] = {
            Category.NAME: self._name,
            Category.ADDRESS: self._address,
            Category.FACILITY: self._facility,
            Category.DATE: self._date,
            Category.BIRTH_DATE: self._date,
            Category.AGE: lambda _: str(self._rng.randint(90, 104)),
            Category.EMAIL: self._reached,
            Category.URL: self._reached,
        }

    def __call__(self, said: str, category: Category) -> str:
        """Another identifier for ``said``."""
        return self._same(f"{category}:{said}", lambda: self._of.get(category, self._number)(said))

    def _same(self, what: str, make: Callable[[], str]) -> str:
        if what not in self._kept:
            self._kept[what] = make()
        return self._kept[what]

    def _name(self, said: str) -> str:
        if regex.fullmatch(r"\p{Lu}{2,3}|\p{Ll}{2,3}", said):
            return "".join(self._letter(letter) for letter in said)
        tokens = list(_TOKEN.finditer(said))
        comma = said.find(",")

        def renewed(token: regex.Match[str]) -> str:
            family = token.start() < comma if comma > 0 else token is tokens[-1] and len(tokens) > 1
            return _WORD.sub(
                lambda word: self._name_word(word[0], family=family, alone=len(tokens) == 1), token[0]
            )

        return _TOKEN.sub(renewed, said)

    def _name_word(self, word: str, *, family: bool, alone: bool) -> str:
        small = word.casefold()
        if len(word) == 1:
            return self._letter(word)
        if small in _GENERIC or small in listed("roles"):
            return word
        family = family or (alone and small not in _given_names())
        return _cased(self._same(f"word:{small}", lambda: self._drawn(word, family=family)), word)

    def _drawn(self, word: str, *, family: bool) -> str:
        if self._rng.random() < KEPT and not tested(word):
            return word
        if word.casefold() in small_words() and self._rng.random() < 0.7:
            names = plain("train")
            return self._rng.choice(names.family if family else names.given)
        return self._one_word(self._who.family if family else self._who.given)

    def _one_word(self, draw: Callable[[], str]) -> str:
        while not _WORD.fullmatch(name := draw()):
            pass
        return name

    def _letter(self, letter: str) -> str:
        new = self._same(f"letter:{letter.casefold()}", lambda: self._who.pattern("@"))
        return new if letter.isupper() else new.lower()

    def _address(self, said: str) -> str:
        numbered = _digits_redrawn(said, self._rng)
        street = any(map(str.isdigit, said)) or any(word in _GENERIC for word in said.casefold().split())
        return _RUN.sub(lambda run: self._place(run[0], street=street), numbered)

    def _place(self, run: str, *, street: bool) -> str:
        """A run of words without the generic ones at its ends."""
        parts = regex.split(r"([ -])", run)
        mine = [i for i in range(0, len(parts), 2) if self._is_proper(parts[i], among=run)]
        if not mine:
            return run
        first, last = mine[0], mine[-1] + 1
        said = "".join(parts[first:last])
        new = self._same(f"place:{said.casefold()}", lambda: self._other_place(said, street=street))
        return "".join([*parts[:first], _cased(new, said), *parts[last:]])

    def _is_proper(self, word: str, *, among: str) -> bool:
        small = word.casefold().rstrip(".")
        if len(small) < 2 or small in _GENERIC or small in _KINDS:
            return False
        return word[0].isupper() or (among.islower() and small not in small_words())

    def _other_place(self, said: str, *, street: bool) -> str:
        if self._rng.random() < KEPT and not any(map(tested, (said, *said.split()))):
            return said
        if street:
            return self._rng.choice((self._who.family, self._who.family, self._who.given, self._who.town))()
        return self._who.town()

    def _facility(self, said: str) -> str:
        draw = self._rng.random()
        if draw < 0.1:
            whole = self._rng.choice(
                (self._who.facility, self._who.brand, self._who.company, self._who.employer)
            )()
            return _cased(whole, said)
        return _WORD.sub(lambda word: self._facility_word(word[0], said), _digits_redrawn(said, self._rng))

    def _facility_word(self, word: str, said: str) -> str:
        small = word.casefold()
        if not self._is_proper(word, among=said):
            return word
        if word.isupper() and 2 <= len(word) <= 5 and (not said.isupper() or len(said) <= 5):
            return self._same(f"acronym:{word}", lambda: self._who.pattern("@" * len(word)))
        return _cased(self._same(f"word:{small}", lambda: self._other_facility(word)), word)

    def _other_facility(self, word: str) -> str:
        if self._rng.random() < KEPT and not tested(word):
            return word
        if word.casefold() in small_words():
            return self._rng.choice(common_words())
        return self._one_word(self._rng.choice((self._who.family, self._who.town)))

    def _date(self, said: str) -> str:
        if moved := shifted(said, self._days, year=2023):
            return moved
        named = _MONTH.sub(lambda month: _month_like(month[0], self._rng), said)
        return _ORDINAL.sub(lambda _: str(self._rng.randint(4, 20)), named)

    def _reached(self, said: str) -> str:
        """An address in the net: whoever stands before its host or behind it is another."""
        redrawn = _digits_redrawn(said, self._rng)
        of_a_person = r"^[\w.+-]+(?=\s?(?:@|\(at\)|\[at\]| at ))|(?<=[/@])\p{L}{4,}"
        return regex.sub(of_a_person, lambda part: self._name(part[0]).lower(), redrawn)

    def _number(self, said: str) -> str:
        return regex.sub(r"\S+", lambda token: self._redrawn(token[0]), said)

    def _redrawn(self, token: str) -> str:
        """Digits for digits; capitals for capitals where they are no word."""
        if any(map(str.isdigit, token)) or (token.isupper() and len(token) <= 3):
            token = regex.sub(r"\p{Lu}", lambda _: self._who.pattern("@"), token)
        return _digits_redrawn(token, self._rng)


def tested(word: str) -> bool:
    """Whether ``word`` is kept for testing."""
    return split_of(word) == "heldout" or word.casefold() in _foreign_names_tested()


@cache
def _foreign_names_tested() -> frozenset[str]:
    kept = lists("heldout")
    return frozenset(name.casefold() for name in (*kept.foreign_given, *kept.foreign_family))


@cache
def _given_names() -> frozenset[str]:
    return frozenset(name.casefold() for file in ("female", "male") for name, _ in census(f"dist.{file}.first"))


def _digits_redrawn(text: str, rng: random.Random) -> str:
    return regex.sub(r"[1-9]", lambda _: str(rng.randint(1, 9)), text)


def _cased(new: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.lower() if like.islower() else new[:1].upper() + new[1:]


def _month_like(month: str, rng: random.Random) -> str:
    """Another month, short or whole as ``month`` was."""
    new = rng.choice(MONTHS)
    return _cased(new if len(month) > 4 or month.casefold() in MONTHS else new[:3], month)
