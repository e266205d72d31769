"""What is known of this patient, found however it is written: reordered, abbreviated, misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.dates import ANY_FORM, understood
from cds.notes.deidentification.known import KnownIdentifiers, Person
from cds.notes.deidentification.recognizers.pattern import TIMEOUT
from cds.notes.deidentification.words import listed, nicknames

PERSON = "person"
"""The key, in a result's metadata, of the :class:`Person` that it names."""

MAX_NAME = 40
_POSSESSIVE = regex.compile(r"['\u2019]s$")
_WORD = regex.compile(r"\p{L}[\p{L}'\u2019]*")
_BETWEEN = regex.compile(r"(?:[ ,.^-]|\b\p{L}\b\.?){1,6}|[ ]*\n[ ]*")
_CALLED = regex.compile(
    r"\b(?:wife|husband|son|daughter|dtr|mom|mother|dad|father|sister|brother|partner|patient|pt|mr|mrs|ms|dr|name)[ .:]+$",  # noqa: E501
    regex.IGNORECASE,
)
_EPONYM = regex.compile(
    r"(?:['\u2019]s)?\s+(?:disease|syndrome|sign|catheter|reflex|tube|lymphoma|phenomenon|criteria|score|test|maneuver|"
    r"dementia|palsy|hernia|lines?|nodes?|triad|stain|procedure|monitor)\b",
    regex.IGNORECASE,
)


class KnownRecognizer(EntityRecognizer):
    """Made for one call of the de-identifier from the patient's :class:`KnownIdentifiers`."""

    score = 1.0

    def __init__(self, known: KnownIdentifiers) -> None:
        super().__init__(supported_entities=[str(c) for c in Category])
        self._known = known
        self._forms = _forms(known.people)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: Sequence[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Raise :class:`TimeoutError` where the text takes too long."""
        return [*self._people(text), *self._birth_date(text), *self._addresses(text), *self._values(text)]

    def _people(self, text: str) -> Iterator[RecognizerResult]:
        if not self._known.people:
            return
        found = list(_WORD.finditer(text))
        plain = {m[0] for m in found if m[0].islower()}
        whose = [self._whose(m, plain) for m in found]
        self._spread(found, whose, text)
        words = [(m.start(), m.end(), person) for m, person in zip(found, whose, strict=True) if person]
        for start, end, person in _joined(words, text):
            yield self._named(start, end, person)
        for person in self._known.people:
            yield from self._initials(text, person)
            yield from self._compounds(text, person)

    def _named(self, start: int, end: int, person: Person) -> RecognizerResult:
        metadata = {PERSON: person, RecognizerResult.RECOGNIZER_NAME_KEY: type(self).__name__}
        return RecognizerResult(Category.NAME, start, end, self.score, recognition_metadata=metadata)

    def _whose(self, match: regex.Match[str], plain: Set[str]) -> Person | None:
        """The person whose name this word is, or nearly is; None for a term such as Parkinson's disease."""
        word = _POSSESSIVE.sub("", match[0].casefold())
        person = self._forms.get(word)
        if person is None and match[0][0].isupper():
            person = self._nearly(word, plain)
        if person is None or _EPONYM.match(match.string, match.end()):
            return None
        ordinary = word in listed("not_names") or word in listed("ordinary")
        if (
            ordinary
            and match[0][0].islower()
            and not _CALLED.search(match.string, max(0, match.start() - 14), match.start())
        ):
            return None
        return person

    def _spread(self, found: Sequence[regex.Match[str]], whose: list[Person | None], text: str) -> None:
        """Beside a word of a person's name its other words are taken in small letters and misspelt, too."""
        for at, person in [(i, p) for i, p in enumerate(whose) if p]:
            for step in (-1, 1):
                before, place = at, at + step
                while 0 <= place < len(found) and whose[place] is None and abs(place - at) <= 3:
                    first, second = sorted((found[before], found[place]), key=lambda m: m.start())
                    if not _BETWEEN.fullmatch(text, first.end(), second.start()):
                        break
                    if len(found[place][0]) > 1:
                        if not self._is_of(found[place][0].casefold(), person):
                            break
                        whose[place] = person
                    before, place = place, place + step

    def _is_of(self, word: str, person: Person) -> bool:
        """Whether ``word`` is a form of this person's name, or one slip away from one."""
        forms = [name for name, whose in self._forms.items() if whose is person and len(name) > 2]
        return word in forms or any(
            min(len(name), len(word)) >= 4 and abs(len(name) - len(word)) <= 1 and _distance(name, word) <= 1
            for name in forms
        )

    def _nearly(self, word: str, plain: Set[str]) -> Person | None:
        """A slip of the pen, in no word that the note also writes small: one edit in five letters, two in nine."""
        if not 5 <= len(word) <= MAX_NAME or word in plain or word in listed("not_names"):
            return None
        allowed = 2 if len(word) >= 9 else 1
        for name, person in self._forms.items():
            if len(name) >= 5 and abs(len(name) - len(word)) <= allowed and _distance(name, word) <= allowed:
                return person
        return None

    def _initials(self, text: str, person: Person) -> Iterator[RecognizerResult]:
        """``J.D.`` and ``J. Q. D.``; initials without points are too often something else."""
        if not (person.given and person.family):
            return
        first, last = (regex.escape(name[0]) for name in (person.given[0], person.family[0]))
        pattern = rf"\b{first}\.\s?(?:\p{{Lu}}\.\s?)?{last}\.(?!\w)"
        for match in regex.finditer(pattern, text, timeout=TIMEOUT):
            yield self._named(*match.span(), person)

    def _compounds(self, text: str, person: Person) -> Iterator[RecognizerResult]:
        """Names of several words, in small letters too: ``garcia-lopez``."""
        for name in person.family:
            if len(regex.findall(r"\p{L}+", name)) > 1:
                for result in self._literal(text, name, Category.NAME):
                    yield self._named(result.start, result.end, person)

    def _birth_date(self, text: str) -> Iterator[RecognizerResult]:
        born = self._known.birth_date
        if born is None:
            return
        for match in ANY_FORM.finditer(text, timeout=TIMEOUT):
            if match["day"] and understood(match, year=born.year) == born:
                yield RecognizerResult(Category.BIRTH_DATE, *match.span(), self.score)
        for compact in ("%m%d%Y", "%m%d%y", "%d%m%Y"):
            yield from self._literal(text, born.strftime(compact), Category.BIRTH_DATE)

    def _addresses(self, text: str) -> Iterator[RecognizerResult]:
        for address in self._known.addresses:
            yield from self._literal(text, address, Category.ADDRESS)

    def _values(self, text: str) -> Iterator[RecognizerResult]:
        for category, values in self._known.values.items():
            for value in values:
                yield from self._literal(text, value, category)

    def _literal(self, text: str, value: str, category: Category) -> Iterator[RecognizerResult]:
        """``value`` however it is spaced, hyphenated and capitalised; a phone also without its country code."""
        parts = regex.findall(r"\d+|\p{L}+", value)
        if sum(map(len, parts)) < 4:
            return
        if category in (Category.PHONE, Category.FAX):
            parts = list("".join(parts)[-10:])
        between = r"[\s\W]{0,3}"
        inner = between.join(_spelled(part) for part in parts)
        for match in regex.finditer(rf"(?<!\w){inner}(?!\w)", text, regex.IGNORECASE, timeout=TIMEOUT):
            yield RecognizerResult(category, *match.span(), self.score)


def _forms(people: Sequence[Person]) -> Mapping[str, Person]:
    """Every single word by which one of ``people`` may be called, casefolded; the first named has it."""
    forms: dict[str, Person] = {}
    for person in people:
        for word in (*person.family, *person.given):
            for form in _WORD.findall(word.casefold()):
                for name in (form, *nicknames().get(form, ())):
                    if len(name) > 1:
                        forms.setdefault(name, person)
    return forms


def _joined(words: Iterable[tuple[int, int, Person]], text: str) -> Iterator[tuple[int, int, Person]]:
    """Neighbouring words of one person's name as one span, with initials between, before and after."""
    waiting: tuple[int, int, Person] | None = None
    for start, end, person in words:
        if waiting and waiting[2] is person and _BETWEEN.fullmatch(text, waiting[1], start):
            waiting = (waiting[0], end, person)
            continue
        if waiting:
            yield _with_initial_after(waiting, text)
        waiting = (_initial_before(text, start), end, person)
    if waiting:
        yield _with_initial_after(waiting, text)


def _with_initial_after(name: tuple[int, int, Person], text: str) -> tuple[int, int, Person]:
    start, end, person = name
    match = regex.match(
        r"(?:[ ]\p{Lu}(?:\.|(?=[\s,;:)|]|$))(?!\w))?(?:,?[ ](?i:jr|sr|ii|iii|iv)\b\.?)?", text[end : end + 10]
    )
    return start, end + (match.end() if match else 0), person


def _initial_before(text: str, start: int) -> int:
    match = regex.search(r"\b\p{Lu}\.?[ ]$", text[max(0, start - 4) : start])
    return start - (match.end() - match.start()) if match else start


def _spelled(part: str) -> str:
    """A pattern for one part of a known value: ``Street`` is also ``St``."""
    forms = _SUFFIXES.get(part.casefold(), {part})
    return "(?:" + "|".join(regex.escape(form) for form in sorted(forms, key=len, reverse=True)) + ")"


_SUFFIXES = {
    form: {long, short}
    for long, short in (pair.split("/") for pair in sorted(listed("street_suffixes")))
    for form in (long, short)
}


def _distance(a: str, b: str) -> int:
    """Edits between two words, a swap of neighbours being one (Damerau-Levenshtein, restricted)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]
